"""The configuration of nats-server: one user a service, each with what `schemas/subjects.py` lets it do.

It names the environment variables that the server finds the passwords in, and holds none itself.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import get_args

from schemas import streams
from schemas.subjects import ServiceName, permissions

USERS: tuple[ServiceName, ...] = get_args(ServiceName)
PENDING_BYTES_MAX = 64 * 1024**2
PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{15,}")
"""The server parses the variable as it parses its file: a password must read as one bare word there."""


def password_variable(user: ServiceName) -> str:
    """Where nats-server finds a user's password."""
    return f"SCRIPTORIUM_NATS_PASSWORD_{user.upper()}"


def new_passwords() -> dict[str, str]:
    """One for each user, by variable."""
    return {password_variable(user): f"p{secrets.token_hex(24)}" for user in USERS}


def bad_passwords(environment: Mapping[str, str]) -> list[str]:
    """The variables that are missing, or whose value the server would not read as a password."""
    names = (password_variable(user) for user in USERS)
    return [name for name in names if not PASSWORD.fullmatch(environment.get(name, ""))]


def nats_config(listen: str, store: str) -> str:
    """As nats-server reads it. `listen` is `host:port`, `store` a folder.

    Every write is synced before it is acknowledged: what a service was told is kept survives the machine. There is no
    monitoring port: it would listen everywhere and ask nobody who they are.
    """
    users = [
        {"user": user, "password": f"${password_variable(user)}", "permissions": permissions(user)} for user in USERS
    ]
    config = {
        "server_name": "scriptorium",
        "listen": listen,
        "max_payload": streams.MESSAGE_BYTES_MAX,
        "max_pending": PENDING_BYTES_MAX,
        # A client that does not answer is gone after three of these.
        "ping_interval": "5s",
        "ping_max": 2,
        "jetstream": {
            "store_dir": store,
            "sync_interval": "always",
            "max_file_store": streams.FILE_STORE_BYTES_MAX,
            "max_memory_store": streams.MEMORY_STORE_BYTES_MAX,
        },
        "authorization": {"timeout": 5, "users": users},
    }
    # JSON, but for the variables: those the server substitutes only where they stand bare.
    return re.sub(r'"(\$SCRIPTORIUM_\w+)"', r"\1", json.dumps(config, indent=1)) + "\n"
