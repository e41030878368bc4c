"""`scriptorium watches`: folders and addresses that a document follows by itself."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from schemas.watches import WatchAsked, WatchShown
from services.cli import options, showing
from services.cli.asking import Asking
from services.cli.refused import refused
from services.client import DocumentClient, ScriptoriumClient


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What `watches` answers as JSON."""

    watches: tuple[WatchShown, ...]
    folders: tuple[str, ...]
    """That may be followed here."""


def watches(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    doc: options.Doc,
    folder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Follow this folder of the gateway's machine, by its name in the settings."),
    ] = None,
    glob: Annotated[str | None, typer.Option(metavar="PATTERN", help="Which files of it, as in **/*.md.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Follow what is at this address.")] = None,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Which is this source; else it is one more. --url's.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="ID", help="Follow it no longer; its sources stay.")] = None,
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """List what a document follows by itself: what changes there is read, and what depends on it written anew.

    Each has a webhook: whoever sends a POST to its address says that something has changed there.
    """
    asking = Asking(gateway=gateway, json=json, key_file=key_file)
    wanted = _wanted(folder, glob, url, source)
    if wanted is not None and end is not None:
        raise refused("--end and a new watch are two things: one at a time.")

    async def work() -> int:
        async with asking.document(doc) as document:
            if wanted is not None:
                await document.add_watch(wanted)
            if end is not None:
                await document.end_watch(await _meant(document, end))
            found = await document.watches()
        async with ScriptoriumClient(asking.address) as client:
            folders = await client.folders()
        asking.answer(Watching(watches=found, folders=folders), showing.watches(found, folders))
        return 0

    asking.run(work())


def _wanted(folder: str | None, glob: str | None, url: str | None, source: str | None) -> WatchAsked | None:
    told = {"folder": folder, "glob": glob, "url": url, "source": source}
    given = {name: value for name, value in told.items() if value is not None}
    if not given:
        return None
    try:
        return msgspec.convert(given, WatchAsked)
    except msgspec.ValidationError as error:
        raise refused(str(error)) from None


async def _meant(document: DocumentClient, beginning: str) -> str:
    """ValueError where it is none, or several."""
    found = [watch.id for watch in await document.watches() if watch.id.startswith(beginning)]
    if len(found) != 1:
        msg = f"--end {beginning}: {'several watches begin' if found else 'no watch begins'} like that."
        raise ValueError(msg)
    return found[0]
