"""`scriptorium share` and `remember`: a key for somebody else, and one from somebody else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from services.cli import options
from services.cli.asking import Asking

LINK_CHARACTERS_MAX = 4_096


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What `share` answers as JSON; no link: all were taken back."""

    id: str
    link: str | None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What `remember` answers as JSON."""

    id: str
    url: str


def share(
    doc: options.Doc,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Make all links for editing that were given links for reading.")
    ] = False,
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Print a link for editing. Whoever has it may change and delete the document, until it is taken back.

    A link for reading is the document's address without what stands behind `#`.
    """
    asking = Asking(gateway=gateway, json=json, key_file=key_file)

    async def work() -> int:
        async with asking.document(doc) as document:
            if take_back:
                await document.take_back()
                asking.answer(Shared(id=document.id, link=None), "All links for editing lead to reading from now on.")
            else:
                link = await document.share()
                asking.answer(Shared(id=document.id, link=link), link)
        return 0

    asking.run(work())


def remember(
    link_file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Holds the link; else it is asked for, or read from a pipe.")
    ] = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Take a link for editing that somebody gave you: the document is in your list, and its key remembered.

    The link is never a word of the command: every user of the machine sees those.
    """
    asking = Asking(gateway=gateway, json=json)

    async def work() -> int:
        async with asking.linked(_link(link_file)) as document:
            await document.take()
            asking.remember(document)
        asking.answer(Known(id=document.id, url=document.url), document.id)
        return 0

    asking.run(work())


def _link(file: Path | None) -> str:
    """ValueError where it cannot be read."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")[:LINK_CHARACTERS_MAX]
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{file}: {error}"
            raise ValueError(msg) from None
    if sys.stdin.isatty():
        return str(typer.prompt("The link (it is not shown)", hide_input=True, err=True))
    return sys.stdin.readline(LINK_CHARACTERS_MAX)
