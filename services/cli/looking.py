"""`scriptorium show`, `watch`, `stop`, `resume`, `history`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated

import msgspec
import typer

from schemas.document import (
    Abandoned,
    Cancelled,
    Cell,
    CellState,
    Document,
    Done,
    Paused,
    Queued,
    Retrying,
    Running,
    StopReceipt,
    Writing,
    is_missing,
)
from schemas.outline_markdown import written_outline
from services.cli import options, showing
from services.cli.asking import Asking
from services.cli.changing import How, Step, change
from services.cli.progress import follow, words_of
from services.cli.refused import refused
from services.client import DocumentClient

ANSWERED_S = 10.0
"""A stop closes calls in milliseconds; longer than this a dead writer's receipt is not waited for."""


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What `stop` answers as JSON."""

    id: str
    run: str
    stop: StopReceipt | None


class StoppedCell(msgspec.Struct, frozen=True, kw_only=True):
    """What `stop --cell` answers as JSON."""

    id: str
    run: str
    cell: str
    state: CellState


def show(
    doc: options.Doc,
    outline: Annotated[
        bool, typer.Option("--outline", help="Only its outline, as Markdown; or as JSON: `edit --outline` takes both.")
    ] = False,
    at: options.At = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Show a document's sections, cells and sources, and what it cost; with `--at`, of an earlier moment."""
    asking = Asking(gateway=gateway, json=json)

    async def work() -> int:
        async with asking.document(doc) as document:
            found = await document.get(at=at)
        if outline:
            asking.answer({"sections": found.outline}, written_outline(found.title, found.outline).rstrip("\n"))
        else:
            asking.answer(found, showing.document(found))
        return 0

    asking.run(work())


def watch(doc: options.Doc, gateway: options.Gateway = None, json: options.Json = False) -> None:
    """Watch a document until nothing is being written any more. A document that paused for want of viewers goes on."""
    asking = Asking(gateway=gateway, json=json)

    async def work() -> int:
        async with asking.document(doc) as document:
            outcome = await follow(document, asking.console)
        if json:
            asking.answer(outcome.document, "")
        return int(outcome.went_wrong)

    asking.run(work())


def stop(
    doc: options.Doc,
    cell: Annotated[
        str | None,
        typer.Option(metavar="CELL", help="Only this cell; the document goes on without it, and `rewrite` writes it."),
    ] = None,
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Stop writing at once: every call to a model is closed. What is finished stays; `resume` goes on."""
    asking = Asking(gateway=gateway, json=json, key_file=key_file)

    async def work() -> int:
        async with asking.document(doc) as document:
            if cell is not None:
                return await _stop_cell(asking, document, cell)
            await document.stop()
            found = await _closed(document, lambda now: not isinstance(now.run, Running) and not now.open_calls)
        asking.answer(Stopped(id=found.id, run=type(found.run).__name__, stop=found.stop), _receipt(found))
        return int(isinstance(found.run, Running))

    asking.run(work())


async def _stop_cell(asking: Asking, document: DocumentClient, id_: str) -> int:
    await document.stop_cell(id_)
    found = await _closed(document, lambda now: _is_closed(now, id_))
    state = found.cells.get(id_, Cell(id=id_)).state
    answer = StoppedCell(id=found.id, run=type(found.run).__name__, cell=id_, state=state)
    asking.answer(answer, _cell_receipt(id_, state))
    return int(not _is_closed(found, id_))


def _is_closed(document: Document, id_: str) -> bool:
    """Nobody writes the cell, and who did has signed for it."""
    match document.cells.get(id_, Cell(id=id_)).state:
        case Queued() | Writing() | Retrying() | Cancelled(closed_at_ms=None):
            return False
        case _:
            return True


def _cell_receipt(id_: str, state: CellState) -> str:
    match state:
        case Queued() | Writing() | Retrying():
            return "Stopping was asked for, and is not done yet: `scriptorium show` tells."
        case Cancelled(asked_at_ms=int(asked), closed_at_ms=int(closed)):
            return f"{id_}: stopped after {closed - asked} ms. `scriptorium rewrite` writes it."
        case Cancelled(closed_at_ms=None):
            return f"{id_}: stopped; its writer has not signed for it yet."
        case Cancelled():
            return f"{id_}: stopped with its document."
        case _:
            return f"{id_}: {words_of(state)}; there was nothing to stop."


async def _closed(document: DocumentClient, is_closed: Callable[[Document], bool]) -> Document:
    """Once every call is closed, or as far as it got in reasonable time."""
    found = await document.get()
    try:
        async with asyncio.timeout(ANSWERED_S), aclosing(document.watch()) as documents:
            async for found in documents:
                if is_closed(found):
                    break
    except TimeoutError:
        return found
    return found


def _receipt(document: Document) -> str:
    if isinstance(document.run, Running):
        return "Stopping was asked for, and is not done yet: `scriptorium show` tells."
    if document.stop is None:
        return f"{showing.run(document)}: there was nothing to stop."
    stop = document.stop
    calls = f"{stop.calls_closed} calls closed, about {stop.tokens_saved:,} tokens saved"
    after = f" after {stop.closed_at_ms - stop.asked_at_ms} ms" if stop.closed_at_ms else ""
    return f"Stopped{after}, {calls}."


def resume(
    doc: options.Doc,
    wait: options.Wait = True,
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Go on with a paused document, and watch it."""
    asking = Asking(gateway=gateway, json=json, key_file=key_file)

    async def work() -> int:
        async with asking.document(doc) as document:
            before = await document.get()
            await document.resume()
            if not _can_resume(before):
                asking.answer(before, f"{showing.run(before)}: there is nothing to go on with.")
                return 0
            found = await _begun(document, before.sequence)
            if wait:
                outcome = await follow(document, asking.console)
                asking.answer(outcome.document, f"{showing.run(outcome.document)}.")
                return int(outcome.went_wrong)
        asking.answer(found, f"{showing.run(found)}. It pauses again where nobody watches it.")
        return 0

    asking.run(work())


def _can_resume(document: Document) -> bool:
    missing = any(is_missing(cell) for cell in document.cells.values())
    return isinstance(document.run, Paused | Abandoned) or (isinstance(document.run, Done) and missing)


async def _begun(document: DocumentClient, sequence: int) -> Document:
    """Once it goes on. A document that is behind its deadline or budget may rest again at once."""
    async with asyncio.timeout(ANSWERED_S), aclosing(document.watch()) as documents:
        async for found in documents:
            if found.sequence > sequence:
                return found
    raise AssertionError("a watch has no end of its own")


def history(  # noqa: PLR0913, PLR0917
    doc: options.Doc,
    compare: Annotated[
        tuple[int, int] | None, typer.Option(metavar="SEQUENCE SEQUENCE", help="Show what differs between two moments.")
    ] = None,
    restore: Annotated[
        int | None,
        typer.Option(
            metavar="SEQUENCE", min=1, help="Make the document what it was then. Nothing is written, nothing paid."
        ),
    ] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """List a document's edits, compare two moments of it, or restore one."""
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    if compare is not None and restore is not None:
        raise refused("--compare and --restore are two things: one at a time.")
    if restore is None and (preview or if_match is not None):
        raise refused("--preview and --if-match belong to --restore.")
    if restore is not None:
        to = restore
        step = Step(f"restored to {to}", lambda edits, expected: edits.restore(to, if_match=expected))
        asking.run(change(asking, doc, [step], How(preview, if_match, wait)))
    asking.run(_past(asking, doc, compare))


async def _past(asking: Asking, doc: str, compared: tuple[int, int] | None) -> int:
    async with asking.document(doc) as document:
        if compared is None:
            found = await document.history()
            asking.answer(found, showing.history(found))
        else:
            differing = await document.compare(*compared)
            asking.answer(differing, showing.comparison(differing))
    return 0
