"""`scriptorium write`: a document from the terminal, with live progress on stderr and Markdown on stdout."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import msgspec
import typer
from rich.console import Console
from rich.live import Live

from schemas.document import Abandoned, Document, Done, Failed, Paused
from schemas.outline import check_outline
from schemas.outline_markdown import read_outline
from schemas.requests import DocumentAsked, DocumentMade, OutlineAsked, SourceAsked
from schemas.values import SOURCE_BYTES_MAX, Policy, Section
from services.cli.configuration import BAD_INPUT, config_file, read_settings, refused
from services.cli.house import House, HouseError, Options
from services.cli.progress import Progress
from services.cli.supervisor import Supervisor
from services.cli.up import start, until_ready
from services.client.client import Problem, ScriptoriumClient

GATEWAY = "http://127.0.0.1:8080"
FAILED = 1
INTERRUPTED = 130
STOP_S = 2.0


def write(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    brief: Annotated[str, typer.Argument(help="What the document is about.")],
    source: Annotated[
        list[Path] | None,
        typer.Option("--source", "-s", exists=True, dir_okay=False, readable=True, help="A file; may be repeated."),
    ] = None,
    outline: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Sections, as Markdown, JSON or TOML.", metavar="FILE"),
    ] = None,
    title: Annotated[str, typer.Option(help="Its title.")] = "",
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Such as model=local/small or budget=0.5; repeatable.", metavar="NAME=VALUE"),
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(help=f"A running gateway; {GATEWAY} by default.", metavar="URL")
    ] = None,
    up: Annotated[bool, typer.Option("--up", help="Start everything for this one document.")] = False,
) -> None:
    """Write a document and print it as Markdown."""
    if up and gateway is not None:
        raise refused("--up starts a gateway of its own: leave out --gateway.")
    if gateway is not None and not gateway.startswith(("http://", "https://")):
        msg = f"--gateway {gateway}: an address is needed, such as {GATEWAY}"
        raise refused(msg)
    try:
        wanted = DocumentAsked(brief=brief, title=title, outline=_outline(outline), policy=_policy(policy or ()))
        files = [(file.name, _bytes(file)) for file in source or ()]
    except ValueError as error:
        raise refused(str(error)) from None
    address = None if up else gateway or GATEWAY
    try:
        raise typer.Exit(asyncio.run(_run(address, wanted, files)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise refused("Stopped.", INTERRUPTED) from None


# -- What was asked for ---------------------------------------------------------------------------------------------------


def _bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        msg = f"--source {file}: {error.strerror or error}"
        raise ValueError(msg) from None
    if len(data) > SOURCE_BYTES_MAX:
        msg = f"--source {file}: a source may have {SOURCE_BYTES_MAX} bytes, this has {len(data)}."
        raise ValueError(msg)
    return data


def _outline(file: Path | None) -> OutlineAsked | str | None:
    """Markdown, or `{"sections": […]}` or the bare list as JSON or TOML. ValueError."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix.lower() in {".md", ".markdown"}:
            _check(file, read_outline(text).sections)
            return text
        told: Any = tomllib.loads(text) if file.suffix == ".toml" else msgspec.json.decode(text)
        outline = msgspec.convert({"sections": told} if isinstance(told, list) else told, OutlineAsked)
    except (ValueError, OSError) as error:
        msg = f"--outline {file}: {error}"
        raise ValueError(msg) from None
    _check(file, outline.sections)
    return outline


def _check(file: Path, sections: Sequence[Section]) -> None:
    problems = [f"  {problem.where}: {problem.message}" for problem in check_outline(sections)]
    if problems:
        msg = "\n".join([f"--outline {file}:", *problems])
        raise ValueError(msg)


def _policy(pairs: Sequence[str]) -> Policy:
    """`name=value` pairs; a value is JSON, or else a word. ValueError."""
    told: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            msg = f"--policy {pair}: it is not of the form name=value"
            raise ValueError(msg)
        try:
            told[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            told[name] = value
    try:
        return msgspec.convert(told, Policy)
    except msgspec.ValidationError as error:
        msg = f"--policy: {error}"
        raise ValueError(msg) from None


# -- Writing it -----------------------------------------------------------------------------------------------------------


async def _run(address: str | None, wanted: DocumentAsked, files: list[tuple[str, bytes]]) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with _gateway(address, console) as found, ScriptoriumClient(found) as client:
            return await _write(client, wanted, files, console)
    except HouseError as error:
        console.print(str(error), markup=False)
        return BAD_INPUT
    except Problem as problem:
        console.print(f"Refused: {problem}", markup=False)
        return FAILED if problem.status not in {400, 413, 422} else BAD_INPUT
    except httpx2.HTTPError as error:
        console.print(f"No gateway answers at {address} ({error or type(error).__name__}).", markup=False)
        console.print("Start one with `scriptorium up`, or add --up to start one for this document.", markup=False)
        return FAILED


@asynccontextmanager
async def _gateway(address: str | None, console: Console) -> AsyncGenerator[str]:
    """The given one; None: one of our own, for as long as it is needed."""
    if address is not None:
        yield address
        return
    file = config_file(None)
    settings = read_settings(file)
    with tempfile.TemporaryDirectory(prefix="scriptorium-") as data:
        options = Options(port=0, data=Path(data), config=file)

        def say(name: str, line: str) -> None:
            if not supervisor.starting:
                console.print(f"{name}: {line}", markup=False)

        with House(options, settings) as house:
            async with _Quiet(say) as supervisor:
                start(house, supervisor, say)
                with console.status("Starting everything"):
                    await until_ready(house, say)
                supervisor.starting = False
                yield house.address


class _Quiet(Supervisor):
    """Its programs' first words are nobody's interest; what happens later is."""

    starting = True


async def _write(
    client: ScriptoriumClient, wanted: DocumentAsked, files: list[tuple[str, bytes]], console: Console
) -> int:
    uploads = [SourceAsked(name=name, upload=await client.upload(name, data)) for name, data in files]
    created = await client.create(msgspec.structs.replace(wanted, sources=tuple(uploads)))
    console.print(created.url)
    try:
        document = await _watched(client, created.id, console)
    except asyncio.CancelledError:
        await _stop(client, created)
        raise
    typer.echo(await client.markdown(created.id))
    failed = any(isinstance(cell.state, Failed) for cell in document.cells.values())
    return 0 if isinstance(document.run, Done) and not failed else FAILED


async def _stop(client: ScriptoriumClient, created: DocumentMade) -> None:
    """Nobody waits for it any more. Where that cannot be said, our lease runs out by itself."""
    try:
        async with asyncio.timeout(STOP_S):
            await client.stop(created)
    except (httpx2.HTTPError, Problem, TimeoutError) as error:
        typer.echo(f"It could not be stopped ({error}); it pauses by itself.", err=True)


async def _watched(client: ScriptoriumClient, id_: str, console: Console) -> Document:
    """The document when it is over, or was stopped."""
    progress = Progress()
    # Drawn by a thread of its own, a few times a second: not once a token.
    with Live(progress, console=console, refresh_per_second=8):
        async with aclosing(client.watch(id_)) as documents:
            async for document in documents:
                progress.document = document
                if isinstance(document.run, Done | Abandoned | Paused):
                    return document
    raise AssertionError("a watch has no end of its own")
