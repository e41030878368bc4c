"""The configuration of our own nats-server: one user a service, each with what `schemas/subjects.py` lets it do."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from schemas import streams
from schemas.subjects import ServiceName, permissions

SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)


def new_passwords() -> dict[ServiceName, str]:
    """One for each service, for this run only."""
    return {service: secrets.token_urlsafe(24) for service in SERVICES}


def nats_config(host: str, port: int, store: Path, passwords: Mapping[ServiceName, str]) -> str:
    """As nats-server reads it (JSON is a subset of its language).

    Every write is synced before it is acknowledged: what a service was told is kept survives the machine.
    """
    users = [
        {"user": service, "password": password, "permissions": permissions(service)}
        for service, password in passwords.items()
    ]
    config = {
        "server_name": "scriptorium",
        "listen": f"{host}:{port}",
        "max_payload": streams.MESSAGE_BYTES_MAX,
        "max_pending": 64 * 1024**2,
        "ping_interval": "5s",
        "jetstream": {
            "store_dir": str(store),
            "sync_interval": "always",
            "max_file_store": streams.FILE_STORE_BYTES_MAX,
            "max_memory_store": streams.MEMORY_STORE_BYTES_MAX,
        },
        "authorization": {"timeout": 5, "users": users},
    }
    return json.dumps(config, indent=1) + "\n"
