"""`scriptorium list`, `duplicate`, `delete`, `templates`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from schemas.library import Card
from schemas.requests import Template, TemplateAsked
from services.cli import options, reading, showing
from services.cli.asking import FAILED, INTERRUPTED, Asking
from services.cli.progress import follow
from services.cli.refused import refused


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What `list` answers as JSON."""

    documents: tuple[Card, ...]


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What `duplicate` answers as JSON."""

    id: str
    url: str
    run: str | None
    """How it stood when nothing was being written any more; None: nobody waited for that."""


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What `delete` answers as JSON; not `deleted`: it has begun, and takes longer."""

    id: str
    deleted: bool


class TemplatesShown(msgspec.Struct, frozen=True, kw_only=True):
    """What `templates` answers as JSON."""

    templates: tuple[Template, ...]


def list_documents(
    query: Annotated[list[str] | None, typer.Argument(metavar="QUERY", help="Words of the title or brief.")] = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """List the documents that were made from here, what changed last first."""
    asking = Asking(gateway=gateway, json=json)

    async def work() -> int:
        async with asking.client() as client:
            found = [card async for card in client.list_all(" ".join(query or ()))]
        asking.answer(Listed(documents=tuple(found)), showing.cards(found))
        return 0

    asking.run(work())


def duplicate(
    doc: options.Doc,
    title: Annotated[str, typer.Option(help="The copy's; else as the original's.")] = "",
    wait: options.Wait = True,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Make a document with the same brief, outline and sources, written anew. Whoever may read one may copy it."""
    asking = Asking(gateway=gateway, json=json)

    async def work() -> int:
        async with asking.document(doc, owned=True) as document:
            copy = await document.duplicate(title)
            asking.remember(copy)
            asking.say(copy.url)
            outcome = await follow(copy, asking.console) if wait else None
        run = None if outcome is None else type(outcome.document.run).__name__
        asking.answer(Copied(id=copy.id, url=copy.url, run=run), copy.id)
        return int(outcome is not None and outcome.went_wrong)

    asking.run(work())


def delete(
    doc: options.Doc,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Delete a document with its sources, history and key. Nothing of it is left anywhere."""
    asking = Asking(gateway=gateway, json=json, key_file=key_file)

    async def work() -> int:
        async with asking.document(doc) as document:
            shown = await document.get()
            if not yes and not _sure(f"Delete {shown.title or document.id!r} for good?"):
                asking.say("Nothing was deleted.")
                return FAILED
            deleted = await document.delete()
            asking.keys.forget(document.id)
        asking.answer(
            Gone(id=document.id, deleted=deleted),
            "Deleted." if deleted else "It is being deleted: that takes a moment longer.",
        )
        return 0

    asking.run(work())


def _sure(question: str) -> bool:
    """ValueError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise ValueError("Nobody is here to be asked: --yes deletes without.")
    try:
        return typer.confirm(showing.plain(question), err=True)
    except typer.Abort:
        raise typer.Exit(INTERRUPTED) from None


def templates(  # noqa: PLR0913, PLR0917
    save: Annotated[str | None, typer.Option(metavar="NAME", help="Keep an outline under this name.")] = None,
    from_document: Annotated[
        str | None, typer.Option("--from", metavar="DOC", help="The outline of this document; --save's.")
    ] = None,
    outline: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="This outline, in any form; --save's."),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for; --save's.")] = "",
    forget: Annotated[str | None, typer.Option(metavar="ID", help="Keep one of your own no longer.")] = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """List outlines to begin with (`scriptorium write --template ID`), keep one, or drop one."""
    asking = Asking(gateway=gateway, json=json)
    try:
        _check(save, from_document, outline, forget)
        kept = reading.outline(outline)
    except ValueError as error:
        raise refused(str(error)) from None

    async def work() -> int:
        if save is not None and from_document is not None:
            async with asking.document(from_document) as document:
                wanted = TemplateAsked(name=save, description=description, document=document.id)
        elif save is not None:
            wanted = TemplateAsked(name=save, description=description, outline=kept)
        else:
            wanted = None
        async with asking.client() as client:
            if forget is not None:
                await client.forget_template(forget)
            if wanted is not None:
                asking.say(f"Kept as {(await client.save_template(wanted)).id}.")
            found = await client.templates()
        asking.answer(TemplatesShown(templates=found), showing.templates(found))
        return 0

    asking.run(work())


def _check(save: str | None, from_document: str | None, outline: Path | None, forget: str | None) -> None:
    if save is None and (from_document is not None or outline is not None):
        raise ValueError("--save NAME keeps an outline: under which name?")
    if save is not None and (from_document is None) == (outline is None):
        raise ValueError("--save: either --from DOC or --outline FILE says which outline.")
    if save is not None and forget is not None:
        raise ValueError("--save and --forget are two things: one at a time.")
