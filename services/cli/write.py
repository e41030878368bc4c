"""`scriptorium write`: a document from the terminal, with live progress on stderr and Markdown on stdout."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from schemas.cells import text_of
from schemas.document import (
    Abandoned,
    Cancelled,
    CellState,
    Completed,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Waiting,
    Writing,
)
from services.client.client import Problem, ScriptoriumClient

FAILED = 1
BAD_INPUT = 2


def write(
    brief: Annotated[str, typer.Argument(help="What the document is about.")],
    source: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, readable=True, help="A file; may be repeated.")
    ] = None,
    outline: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Sections as JSON or TOML.", metavar="FILE")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    gateway: Annotated[str, typer.Option(help="A running gateway.", metavar="URL")] = "http://127.0.0.1:8080",
) -> None:
    """Write a document and print it as Markdown."""
    body: dict[str, Any] = {"brief": brief}
    if title is not None:
        body["title"] = title
    if outline is not None:
        body["outline"] = _outline(outline)
    raise typer.Exit(asyncio.run(_write(gateway, body, source or [])))


def _outline(file: Path) -> Any:  # noqa: ANN401 -- whatever the file says: the gateway judges it
    try:
        text = file.read_text(encoding="utf-8")
        read = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (ValueError, OSError) as error:
        typer.echo(f"--outline {file}: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    wrapped: Any = {"sections": read} if isinstance(read, list) else read
    return wrapped


async def _write(gateway: str, body: dict[str, Any], sources: list[Path]) -> int:
    console = Console(stderr=True)
    try:
        async with ScriptoriumClient(gateway) as client:
            uploads = [await client.upload(file.name, file.read_bytes()) for file in sources]
            if uploads:
                body["sources"] = [{"upload": upload} for upload in uploads]
            created = await client.create(body)
            console.print(f"{gateway}/d/{created.id}", highlight=False)
            try:
                document = await _watched(client, created.id, console)
            except asyncio.CancelledError:
                await client.stop(created)
                raise
            typer.echo(await client.markdown(created.id))
    except Problem as problem:
        console.print(f"Refused: {problem}", markup=False, highlight=False)
        return BAD_INPUT
    except httpx2.HTTPError as error:
        console.print(f"No gateway answers at {gateway} ({error}). Start one with: scriptorium up", highlight=False)
        return FAILED
    failed = any(isinstance(cell.state, Failed) for cell in document.cells.values())
    return 0 if isinstance(document.run, Done) and not failed else FAILED


async def _watched(client: ScriptoriumClient, id_: str, console: Console) -> Document:
    with Live(console=console, refresh_per_second=8, transient=not console.is_terminal) as live:
        async for document in client.watch(id_):
            live.update(_progress(document))
            if isinstance(document.run, Done | Abandoned | Paused):
                return document
    msg = "the watch ended"
    raise AssertionError(msg)


def _progress(document: Document) -> Table:
    table = Table(title=document.title or "Planning the outline", box=None, title_justify="left", show_header=False)
    for section in document.outline:
        states = [
            cell.state for id_, cell in document.cells.items() if id_ == section.id or id_.startswith(f"{section.id}:")
        ]
        words = len(text_of(document.cells, section.id).split())
        table.add_row(section.heading, _said(states[0]) if states else "waiting", f"{words} words" if words else "")
    if isinstance(document.run, Abandoned):
        table.add_row(document.run.message)
    table.caption = f"{document.ledger.calls} calls, ${document.ledger.cost:.4f}"
    return table


def _said(state: CellState) -> str:
    match state:
        case Waiting():
            return "waiting"
        case Queued():
            return "queued"
        case Writing(model=model):
            return f"writing, {model}"
        case Retrying(message=message):
            return f"again soon: {message}"
        case Completed():
            return "done"
        case Failed(message=message):
            return f"failed: {message}"
        case Cancelled():
            return "stopped"
