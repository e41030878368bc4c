"""The keys of documents that were made from this terminal, so that later commands need only an id, its beginning, or `last`.

One file a key, readable by its owner alone, in the user's data folder (`SCRIPTORIUM_HOME` names another): two commands at
once have nothing to overwrite of each other, and a damaged file costs one key. See docs/adr/0016-keys-and-the-door-for-programs.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import platformdirs

HOME_VARIABLE: Final = "SCRIPTORIUM_HOME"
LAST: Final = "last"
BEGINNING_CHARACTERS_MIN: Final = 4
_BEGINNING: Final = re.compile(rf"[0-9a-f]{{{BEGINNING_CHARACTERS_MIN},32}}")
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600

T = TypeVar("T")


class KeyringError(ValueError):
    """Says what cannot be found or read, and what to do."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was made from here."""

    id: str
    gateway: str
    key: str
    made_at_ms: int

    def __repr__(self) -> str:
        """Without the key: it would stand in tracebacks and logs."""
        return f"Remembered({self.id!r}, {self.gateway!r})"


class _Owner(msgspec.Struct, frozen=True, kw_only=True):
    gateway: str
    owner: str


class Keyring:
    """The folder. Nothing is made before there is something to keep."""

    def __init__(self, home: Path) -> None:
        self._documents = home / "documents"
        self._owners = home / "owners"

    def remember(self, document: Remembered) -> None:
        """Whole, or not at all."""
        _write(self._documents / f"{document.id}.json", document, replaces=True)

    def forget(self, id_: str) -> None:
        """Where it is there."""
        self._documents.joinpath(f"{id_}.json").unlink(missing_ok=True)

    def get(self, id_: str) -> Remembered | None:
        """By its whole id."""
        file = self._documents / f"{id_}.json"
        return _read(file, Remembered) if file.is_file() else None

    def find(self, name: str) -> Remembered:
        """By the beginning of its id, or `last`. KeyringError where it is none, or several."""
        if name == LAST:
            return self._last()
        if not _BEGINNING.fullmatch(name):
            msg = (
                f"{name!r} names no document: give its id, at least the first {BEGINNING_CHARACTERS_MIN} characters of one "
                "that was made from here, its address, or `last`. `scriptorium list` shows them."
            )
            raise KeyringError(msg)
        found = sorted(file.stem for file in self._files() if file.stem.startswith(name))
        if len(found) > 1:
            msg = f"{name!r} is the beginning of several ids: {', '.join(found)}."
            raise KeyringError(msg)
        if not found:
            msg = f"No document that was made from here has an id that begins with {name!r}. `scriptorium list` shows them."
            raise KeyringError(msg)
        return _read(self._documents / f"{found[0]}.json", Remembered)

    def owner(self, gateway: str) -> str:
        """The secret that a gateway knows this terminal by. Another one for each: none may ask another in our name."""
        file = self._owners / f"{hashlib.sha256(gateway.encode()).hexdigest()[:32]}.json"
        if not file.is_file():
            # Where two begin at once, the first to be there is the one that both use.
            _write(file, _Owner(gateway=gateway, owner=secrets.token_urlsafe(32)), replaces=False)
        return _read(file, _Owner).owner

    def _last(self) -> Remembered:
        all_ = [_read(file, Remembered) for file in self._files()]
        if not all_:
            raise KeyringError("Nothing was made from here yet: `scriptorium write` makes a document.")
        return max(all_, key=lambda document: (document.made_at_ms, document.id))

    def _files(self) -> Iterator[Path]:
        return self._documents.glob("[0-9a-f]*.json")


def keyring() -> Keyring:
    """The user's own."""
    named = os.environ.get(HOME_VARIABLE)
    return Keyring(Path(named) if named else platformdirs.user_data_path("scriptorium", appauthor=False))


def _read(file: Path, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=type_)
    except OSError as error:
        msg = f"{file}: {error.strerror or error}"
    except msgspec.DecodeError as error:
        msg = f"{file}: {error}. What it held is lost: remove it."
    raise KeyringError(msg)


def _write(file: Path, value: msgspec.Struct, *, replaces: bool) -> None:
    """Whole, or not at all; not `replaces`: the file that is there already stays."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        for folder in (file.parent.parent, file.parent):  # Of folders made on the way, `mode` is the last one's alone.
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(msgspec.json.encode(value))
                stream.flush()
                os.fsync(stream.fileno())  # A key that is lost is a document that nobody can change.
            if replaces:
                beside.replace(file)
            else:
                with contextlib.suppress(FileExistsError):
                    file.hardlink_to(beside)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{file}: {error.strerror or error}. {HOME_VARIABLE} names another folder."
        raise KeyringError(msg) from None
