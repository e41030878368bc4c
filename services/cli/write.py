"""`scriptorium write` and `estimate`: a document from the terminal, live progress on stderr, the document on stdout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx2
import msgspec
import typer

from schemas.document import Abandoned, Document, Done, Paused
from schemas.edit_requests import Estimated
from schemas.outline_markdown import written_outline
from schemas.requests import DocumentAsked, OutlineAsked, SourceAsked
from schemas.values import Policy
from services.cli import options, reading, showing
from services.cli.asking import Asking
from services.cli.keyring import KeyringError
from services.cli.progress import followed
from services.cli.reading import Address, File
from services.cli.refused import refused
from services.cli.sources import asked
from services.client import DocumentClient, Problem, ScriptoriumClient

STOP_S = 2.0
PLAN_READY = (
    "This is its outline: `scriptorium edit last --outline FILE` changes it, `scriptorium resume last` has it written."
)

Brief = Annotated[str, typer.Argument(help="What the document is about, or @FILE.")]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", "-s", metavar="FILE|URL", help="Text, Markdown, HTML or PDF; may be repeated."),
]
Outline = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="Sections, as Markdown, JSON or TOML; else they are planned.", metavar="FILE"
    ),
]
TemplateName = Annotated[str | None, typer.Option(metavar="ID", help="A ready-made outline: `scriptorium templates`.")]
Title = Annotated[str, typer.Option(help="Its title.")]
PolicyPairs = Annotated[
    list[str] | None,
    typer.Option(
        help="Such as model=local/small, budget=0.5 or plan_first=true (stop at the outline); repeatable.",
        metavar="NAME=VALUE",
    ),
]


class Wrote(msgspec.Struct, frozen=True, kw_only=True):
    """What `write` answers as JSON. Not its key: that is remembered."""

    id: str
    url: str
    document: Document


def write(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    brief: Brief,
    source: Sources = None,
    outline: Outline = None,
    template: TemplateName = None,
    title: Title = "",
    policy: PolicyPairs = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would come to.")] = False,
    up: Annotated[bool, typer.Option("--up", help="Start everything for this one document.")] = False,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Write a document and print it as Markdown; afterwards, `last` names it.

    `scriptorium write "What does this licence allow?" --source LICENSE`
    """
    if up and gateway is not None:
        raise refused("--up starts a gateway of its own: leave out --gateway.")
    asking = Asking(gateway=gateway, json=json)
    wanted, given = _wanted(brief, source, outline, template, title, policy)
    if estimate:
        asking.run(_estimate(asking, wanted, given, up=up))
    asking.run(_run(asking, wanted, given, up=up))


def estimate(  # noqa: PLR0913, PLR0917
    brief: Brief,
    source: Sources = None,
    outline: Outline = None,
    template: TemplateName = None,
    title: Title = "",
    policy: PolicyPairs = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Say what a document would come to, before anything is spent: cells, calls, tokens, cost, time."""
    asking = Asking(gateway=gateway, json=json)
    wanted, given = _wanted(brief, source, outline, template, title, policy)
    asking.run(_estimate(asking, wanted, given, up=False))


# -- What was asked for ---------------------------------------------------------------------------------------------------


def _wanted(  # noqa: PLR0913, PLR0917
    brief: str,
    source: Sequence[str] | None,
    outline: Path | None,
    template: str | None,
    title: str,
    policy: Sequence[str] | None,
) -> tuple[DocumentAsked, list[File | Address]]:
    """All but the sources, which are handed over later."""
    try:
        told = {
            "brief": dict(reading.texts([f"brief={brief}"], "BRIEF"))["brief"],
            "title": title,
            "policy": msgspec.convert(reading.policy(policy or ()), Policy),
            "outline": _plain(reading.outline(outline)),
            "template": template,
        }
        # Converted, not made: only so are its limits looked at.
        wanted = msgspec.convert({name: value for name, value in told.items() if value is not None}, DocumentAsked)
        return wanted, reading.sources(source or ())
    except ValueError as error:
        raise refused(str(error)) from None


def _plain(outline: OutlineAsked | str | None) -> object:
    return msgspec.to_builtins(outline)


# -- Estimating it --------------------------------------------------------------------------------------------------------


async def _estimate(asking: Asking, wanted: DocumentAsked, given: Sequence[File | Address], *, up: bool) -> int:
    async with _gateway(asking, up=up) as client:
        sources = [_measured(one) or await asked(client, one) for one in given]
        found = await client.estimate(msgspec.structs.replace(wanted, sources=tuple(sources)))
    asking.answer(found, _sum(found, is_planned=wanted.outline is None and wanted.template is None))
    return 0


def _measured(given: File | Address) -> SourceAsked | None:
    """A text's size can be seen by sending it along; other files are handed over as they are."""
    if isinstance(given, Address):
        return None
    try:
        return SourceAsked(name=given.name, text=given.data.decode())
    except UnicodeDecodeError:
        return None


def _sum(found: Estimated, *, is_planned: bool) -> str:
    assumed = " It has no outline yet: as many sections are assumed as are usually planned." if is_planned else ""
    return f"{showing.cost(found.estimate)}.{assumed}"


# -- Writing it -----------------------------------------------------------------------------------------------------------


async def _run(asking: Asking, wanted: DocumentAsked, given: Sequence[File | Address], *, up: bool) -> int:
    async with _gateway(asking, up=up) as client:
        sources = [await asked(client, one) for one in given]
        created = await client.create(msgspec.structs.replace(wanted, sources=tuple(sources)))
        if not up:
            await _remember(asking, created)
        asking.say(created.url)
        try:
            async with aclosing(created.watch()) as documents:
                outcome = await followed(documents, asking.console, _is_over)
        except asyncio.CancelledError:
            await _stop(asking, created)
            raise
        if isinstance(outcome.document.run, Paused) and outcome.document.run.reason == "plan_ready":
            asking.say(PLAN_READY)
            outline = written_outline(outcome.document.title, outcome.document.outline).rstrip("\n")
            asking.answer(Wrote(id=created.id, url=created.url, document=outcome.document), outline)
            return 0
        shown = (await created.export("md")).decode()
        asking.answer(Wrote(id=created.id, url=created.url, document=outcome.document), shown)
        return int(outcome.went_wrong)


async def _remember(asking: Asking, created: DocumentClient) -> None:
    """First of all: whatever happens to us, it may be stopped and deleted."""
    try:
        asking.remember(created)
    except KeyringError:
        await _stop(asking, created)  # Nobody could, afterwards.
        raise


def _is_over(document: Document) -> bool:
    return isinstance(document.run, Done | Abandoned | Paused)


async def _stop(asking: Asking, created: DocumentClient) -> None:
    """Nobody waits for it any more. Where that cannot be said, our lease runs out by itself."""
    try:
        async with asyncio.timeout(STOP_S):
            await created.stop()
    except (httpx2.HTTPError, Problem, TimeoutError) as error:
        asking.say(f"It could not be stopped ({error}); it pauses by itself.")


@asynccontextmanager
async def _gateway(asking: Asking, *, up: bool) -> AsyncGenerator[ScriptoriumClient]:
    """The one that is there; or one of our own, for as long as it is needed."""
    if not up:
        async with asking.client() as client:
            yield client
        return
    from services.cli.own_house import own_house  # noqa: PLC0415 -- see services/cli/running.py

    async with own_house(asking) as address, ScriptoriumClient(address) as client:
        yield client
