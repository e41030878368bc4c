"""What every command that asks a gateway has in common: which gateway and document, with which key, and how it talks.

Results go to standard output, as text or as one JSON document; whatever else is said goes to standard error. Exit codes: 0; 1,
refused or failed; 2, bad input; 130, interrupted.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx2
import msgspec
import typer
from rich.console import Console, RenderableType

from services.cli.keyring import Keyring, KeyringError, Remembered, keyring
from services.cli.refused import BAD_INPUT, refused
from services.cli.showing import moved, plain
from services.client import Conflict, DocumentClient, Problem, ScriptoriumClient
from services.shared.clock import now_ms

GATEWAY: Final = "http://127.0.0.1:8080"
KEY_VARIABLE: Final = "SCRIPTORIUM_KEY"
FAILED: Final = 1
INTERRUPTED: Final = 130
PIPED_WIDTH: Final = 160
"""Columns of a table that no terminal shows."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_KEY_BEHIND: Final = "#key="
_PAGE: Final = re.compile(
    r"(?P<gateway>https?://[^/]+(?:/.*)?)/(?:d|embed|control|api/documents)/(?P<id>[0-9a-f]{32})/?"
)


class Asking:
    """One command's way to a gateway, and back to whoever asked."""

    def __init__(
        self, *, gateway: str | None = None, json: bool = False, key_file: Path | None = None, who: str = ""
    ) -> None:
        if gateway is not None and not gateway.startswith(("http://", "https://")):
            msg = f"--gateway {gateway}: an address is needed, such as {GATEWAY}"
            raise refused(msg)
        self.keys: Keyring = keyring()
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._gateway = None if gateway is None else gateway.rstrip("/")
        self._json = json
        self._key_file = key_file
        self._who = who

    # -- Talking --------------------------------------------------------------------------------------------------------

    def say(self, *lines: str) -> None:
        """To whoever sits there."""
        for line in lines:
            self.console.print(plain(line), markup=False)

    def answer(self, value: Any, shown: RenderableType | str) -> None:  # noqa: ANN401 -- whatever a command answers
        """The result: a value as JSON where that is asked for, else as it is shown."""
        if self._json:
            data = msgspec.json.encode(value)
            typer.echo(msgspec.json.format(data, indent=2 if sys.stdout.isatty() else 0))
        elif isinstance(shown, str):
            typer.echo(plain(shown) if sys.stdout.isatty() else shown)
        else:
            width = None if sys.stdout.isatty() else PIPED_WIDTH
            Console(highlight=False, width=width).print(shown)

    def run(self, work: Coroutine[Any, Any, int]) -> NoReturn:
        """To its end; whatever keeps it from that is said in plain words."""
        try:
            raise typer.Exit(asyncio.run(self._told(work)))
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise refused("Stopped.", INTERRUPTED) from None

    async def _told(self, work: Coroutine[Any, Any, int]) -> int:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            return await work
        except Conflict as conflict:
            self.say(f"Refused: {conflict}")
            self.console.print(moved(conflict.version, conflict.current, conflict.changes))
            self.say(f"Nothing was changed. Look at what they did, and try again with --if-match {conflict.version}.")
            return FAILED
        except Problem as problem:
            return self._refused(problem)
        except httpx2.HTTPError as error:
            self.say(
                f"No gateway answers at {self.address} ({str(error) or type(error).__name__}).",
                "Start one with `scriptorium up`, or say where one is with --gateway.",
            )
            return FAILED
        except ValueError as error:
            self.say(str(error))
            return BAD_INPUT

    def _refused(self, problem: Problem) -> int:
        self.say(f"Refused: {problem}")
        match problem.status:
            case 401 | 403:
                self.say(
                    "The keys of documents that were made from here are known; for others, name a file that holds the key "
                    f"with --key-file, or put it into {KEY_VARIABLE}."
                )
                return FAILED
            case 404 if problem.detail == "There is no such document.":
                self.say(
                    "Name it by its id, the beginning of one, its address, or `last`: `scriptorium list` shows them."
                )
                return BAD_INPUT
            case 400 | 404 | 406 | 413 | 422:
                return BAD_INPUT
            case _:
                return FAILED

    # -- Asking ---------------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The gateway."""
        return self._gateway or GATEWAY

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[ScriptoriumClient]:
        """The gateway, as the owner that it knows us by."""
        async with ScriptoriumClient(self.address, owner=self.keys.owner(self.address), who=self._who) as client:
            yield client

    @asynccontextmanager
    async def document(self, name: str, *, owned: bool = False) -> AsyncGenerator[DocumentClient]:
        """A document, with its key where that is to be had. KeyringError (a ValueError) for a name that says nothing.

        `owned`: something is made of it that is to be in our list. Whoever only reads a document leaves no trace here.
        """
        id_, key = self._named(name.strip())
        owner = self.keys.owner(self.address) if owned else None
        async with ScriptoriumClient(self.address, owner=owner, who=self._who) as client:
            yield client.document(id_, key)

    @asynccontextmanager
    async def linked(self, link: str) -> AsyncGenerator[DocumentClient]:
        """A document by a link for editing, which nobody typed as a command's word. ValueError for what is none."""
        page, _, key = link.strip().partition(_KEY_BEHIND)
        found = _PAGE.fullmatch(page)
        if found is None or not key:
            msg = f"A link for editing looks like {GATEWAY}/d/ID{_KEY_BEHIND}KEY; this is none."
            raise ValueError(msg)
        self._gateway = self._gateway or found["gateway"]
        async with self.client() as client:
            yield client.document(found["id"], key)

    def remember(self, document: DocumentClient) -> None:
        """The key of a document that was just made, or given to us."""
        if document.key is not None:
            self.keys.remember(Remembered(id=document.id, gateway=self.address, key=document.key, made_at_ms=now_ms()))

    def _named(self, name: str) -> tuple[str, str | None]:
        if _KEY_BEHIND in name:
            raise KeyringError(
                "This link has a key in it, and every user of this machine sees a command's words. Take the key back, or let "
                "`scriptorium remember` ask for the link."
            )
        page = _PAGE.fullmatch(name)
        id_ = name if page is None else page["id"]
        known = self.keys.get(id_) if _ID.fullmatch(id_) else self.keys.find(id_)
        if page is not None and self._gateway is None:
            self._gateway = page["gateway"]
            if known is not None and known.gateway != self._gateway:
                known = None  # A link that somebody sent is no reason to hand another house our key.
        if known is not None:
            self._gateway = self._gateway or known.gateway
        return (id_ if known is None else known.id), self._key(known)

    def _key(self, known: Remembered | None) -> str | None:
        if self._key_file is not None:
            try:
                key = self._key_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                msg = f"--key-file {self._key_file}: {error}"
                raise KeyringError(msg) from None
            if not key:
                msg = f"--key-file {self._key_file}: it is empty"
                raise KeyringError(msg)
            return key
        if known is not None:
            return known.key
        return os.environ.get(KEY_VARIABLE) or None
