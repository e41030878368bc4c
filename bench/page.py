"""What the page asks of a reader's machine, in a real Chromium on the page as it was built.

    python -m bench page

- *writing*: 30 sections at 50 tokens a second each, for 20 s: seconds of main thread, tasks over 50 ms.
- *scrolling*: a finished document of 100 sections, and a table of 10,000 cells, 4,000 pixels a second: frames a second, main thread.
- *first load*: bytes of script, gzipped, before a document or the first screen shows.

The server is the gateway's own files, headers and frames with a document that is made up here, so that only the page is measured
and neither models nor the bus share its cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import statistics
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.tables import table
from schemas.document import Cell, Completed, Completion, Document, Done, Ink, Running, Source, Writing
from schemas.document import encode as encode_document
from schemas.events import TextAppended, encode
from schemas.values import Column, Policy, Section, SourceGiven
from services.gateway import page_files
from services.gateway.frames import Cursor, frame
from tests.browser import ARGUMENTS, found

ROUNDS = 3
SECTIONS = 30
TOKENS_PER_S = 50
WRITING_S = 20
TICKS_PER_S = 100
LONG_TASK_MS = 50
VIEWPORT = {"width": 1400, "height": 900}
SOURCES = page_files.DEMOS / "case-study" / "sources"
ATTEMPT = 1_000_001
BEGAN_MS = 1_764_000_000_000
WRITING, LONG, TABLE = "0" * 31 + "1", "0" * 31 + "2", "0" * 31 + "3"
SCROLL_S = 6.0
SCROLL_PX_PER_S = 4_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure; `aim` is what the design promises."""

    name: str
    value: float
    unit: str
    aim: str


# -- Documents that are made up ----------------------------------------------------------------------------------------------


def tokens() -> list[str]:
    """Prose of the demo's sources, a citation after each sixtieth word, cut as a model cuts it: a word and its space."""
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.md")))
    cut: list[str] = []
    for number, word in enumerate(text.replace("\n#", "\n\n#").split(" "), 1):
        cut.append(f"{word} ")
        if number % 60 == 0:
            cut.append(f'[[s1:{1 + number % 7} "the log decides"]] ')
    return cut


def _document(
    id_: str, outline: Sequence[Section], cells: dict[str, Cell], *, is_done: bool, rows: int = 1
) -> Document:
    given = [
        SourceGiven(id=f"s{n}", name=f"Source {n}.md", media_type="text/markdown", size_bytes=9_000, digest="0" * 64)
        for n in range(1, rows + 1)
    ]
    return Document(
        id=id_,
        title="What a page costs",
        brief="A document that is made up to be measured.",
        policy=Policy(),
        created_at_ms=BEGAN_MS,
        run=Done(at_ms=BEGAN_MS + 60_000) if is_done else Running(since_ms=BEGAN_MS, deadline_ms=BEGAN_MS + 10**9),
        outline=tuple(outline),
        sources={one.id: Source(given=one, digest="0" * 64, passages=9, characters=9_000) for one in given},
        cells=cells,
        sequence=1,
    )


def writing() -> Document:
    """All sections being written, none with a word yet."""
    outline = [Section(id=f"part-{n}", heading=f"Part {n}", instructions="Write.") for n in range(SECTIONS)]
    cells = {
        one.id: Cell(
            id=one.id,
            state=Writing(attempt=ATTEMPT, since_ms=BEGAN_MS, model="bench/model"),
            revision=1,
            job=1,
            attempt=ATTEMPT,
            attempts=1,
            ink=Ink(attempt=ATTEMPT),
        )
        for one in outline
    }
    return _document(WRITING, outline, cells, is_done=False)


def _done(id_: str, text: str) -> Cell:
    completion = Completion(
        revision=1, attempt=ATTEMPT, at_ms=BEGAN_MS, text=text, input_digest="", output_digest="", model="bench/model"
    )
    return Cell(id=id_, state=Completed(at_ms=BEGAN_MS), revision=1, job=1, attempt=ATTEMPT, completed=completion)


def long() -> Document:
    """A hundred finished sections of some 500 words."""
    outline = [Section(id=f"part-{n}", heading=f"Part {n}", instructions="Write.") for n in range(100)]
    words = cycle(tokens())
    return _document(
        LONG, outline, {one.id: _done(one.id, "".join(islice(words, 500))) for one in outline}, is_done=True
    )


def wide() -> Document:
    """One table of 1,000 rows and 10 columns."""
    columns = tuple(Column(id=f"c{n}", heading=f"Question {n}", instructions="Answer.") for n in range(10))
    section = Section(id="table", heading="Table", instructions="Fill.", columns=columns)
    words = cycle(tokens())
    cells = {
        id_: _done(id_, " ".join("".join(islice(words, 12)).split()))
        for id_ in (f"table:s{row}:{column.id}" for row in range(1, 1_001) for column in columns)
    }
    return _document(TABLE, [section], cells, is_done=True, rows=1_000)


# -- A server of nothing but the page ------------------------------------------------------------------------------------------


async def _stream(document: Document) -> AsyncIterator[bytes]:
    yield frame("snapshot", encode_document(document), Cursor(1, 1, 0))
    if document.id != WRITING:
        await asyncio.Event().wait()
    words, offsets = tokens(), dict.fromkeys(document.cells, 0)
    cells, sent, sequence = list(offsets), 0, 0
    began = asyncio.get_running_loop().time()
    while sent < WRITING_S * TOKENS_PER_S * SECTIONS:
        # By the clock, so that a slow tick is made up for: the page gets its tokens whatever this machine does.
        due = (asyncio.get_running_loop().time() - began) * TOKENS_PER_S * SECTIONS
        chunk: list[bytes] = []
        while sent < due:
            cell = cells[sent % SECTIONS]
            text = words[(sent // SECTIONS + 97 * (sent % SECTIONS)) % len(words)]
            sequence += 1
            event = TextAppended(cell=cell, attempt=ATTEMPT, offset=offsets[cell], text=text)
            chunk.append(frame("TextAppended", encode(event), Cursor(1, 1, sequence)))
            offsets[cell] += len(text)
            sent += 1
        if chunk:
            yield b"".join(chunk)
        await asyncio.sleep(1 / TICKS_PER_S)
    yield frame("BenchOver", b"{}", Cursor(1, 1, sequence))
    await asyncio.Event().wait()


def app() -> Starlette:
    """The page's files under the gateway's own headers, and the three documents."""
    documents = {WRITING: writing(), LONG: long(), TABLE: wide()}

    async def events(request: Request) -> Response:
        return StreamingResponse(_stream(documents[request.path_params["id"]]), media_type="text/event-stream")

    async def page(_request: Request) -> Response:
        return page_files.page()

    async def file(request: Request) -> Response:
        wanted = page_files.PAGE / request.path_params["file"]
        return FileResponse(wanted) if wanted.is_file() else Response(status_code=404)  # A browser asks for an icon.

    async def none(_request: Request) -> Response:
        return Response(b"{}", media_type="application/json")

    routes = [
        Route("/d/{id}", page),
        Route("/api/documents/{id}/events", events),
        Route("/api/{rest:path}", none),
        Route("/{file:path}", file),
    ]
    return Starlette(routes=routes, middleware=[Middleware(page_files.SecurityHeaders)])


@contextlib.asynccontextmanager
async def serving() -> AsyncGenerator[str]:
    """The server's address."""
    listener = socket.create_server(("127.0.0.1", 0))  # Listens at once: nobody has to wait for the server to be up.
    server = uvicorn.Server(uvicorn.Config(app(), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await task


# -- What is measured ------------------------------------------------------------------------------------------------------------

# Wheel events would be coalesced by a headless browser: each frame goes on by the same distance, as a fling does.
_SCROLL = """async ([selector, seconds, speed]) => {
  const scroller = selector === null ? document.scrollingElement : document.querySelector(selector);
  const frame = () => new Promise(requestAnimationFrame);
  const began = await frame();
  const gaps = [];
  for (let last = began; last - began < seconds * 1000;) {
    const now = await frame();
    gaps.push(now - last);
    last = now;
    scroller.scrollTop = (now - began) / 1000 * speed;
  }
  return gaps;
}"""


class Task(msgspec.Struct, frozen=True):
    """One task of the main thread, in milliseconds: by the clock, and of the processor's time."""

    clock_ms: float
    cpu_ms: float


class _Event(msgspec.Struct, frozen=True):
    """An event of Chromium's trace, in microseconds (Trace Event Format)."""

    name: str
    pid: int
    tid: int
    ph: str = ""
    dur: float = 0
    tdur: float = 0
    args: Any = None


class _Trace(msgspec.Struct, frozen=True):
    traceEvents: list[_Event]  # noqa: N815 -- the format's own name


@contextlib.asynccontextmanager
async def _watched(browser: Browser, page: Page, into: list[Task]) -> AsyncGenerator[None]:
    """The tasks of a page's main thread, as Chromium traces them."""
    await browser.start_tracing(page=page, categories=["__metadata", "disabled-by-default-devtools.timeline"])
    yield
    trace = msgspec.json.decode(await browser.stop_tracing(), type=_Trace).traceEvents
    mains = {(one.pid, one.tid) for one in trace if one.ph == "M" and one.args == {"name": "CrRendererMain"}}
    # `ThreadControllerImpl::RunTask` is the same task, as its thread sees it: counted as well, each would count twice.
    tasks = [one for one in trace if one.name == "RunTask" and (one.pid, one.tid) in mains]
    into += [Task(one.dur / 1_000, one.tdur / 1_000) for one in tasks]


async def _opened(browser: Browser, url: str, ready: str) -> Page:
    context = await browser.new_context(viewport=VIEWPORT)  # pyright: ignore[reportArgumentType] -- a TypedDict
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_selector(ready, state="attached")
    return page


async def written(browser: Browser, base: str) -> list[Result]:
    """The main thread while everything is written at once."""
    page = await _opened(browser, f"{base}/d/{WRITING}", "section[data-state=streaming]")
    tasks: list[Task] = []
    async with _watched(browser, page, tasks):
        await asyncio.sleep(WRITING_S)
    characters: int = await page.evaluate("document.querySelector('main').textContent.length")
    await page.context.close()
    assert characters > SECTIONS * TOKENS_PER_S * (WRITING_S - 2) * 4, f"only {characters} characters came"  # noqa: S101
    return [
        Result(name="writing: main thread", value=sum(one.cpu_ms for one in tasks) / 1_000, unit="s", aim="≤ 6"),
        Result(
            name=f"writing: tasks over {LONG_TASK_MS} ms",
            value=sum(one.cpu_ms > LONG_TASK_MS for one in tasks),
            unit="",
            aim="≤ 2",
        ),
        Result(name="writing: longest task, processor", value=max(one.cpu_ms for one in tasks), unit="ms", aim=""),
        Result(name="writing: longest task, clock", value=max(one.clock_ms for one in tasks), unit="ms", aim=""),
    ]


async def scrolled(browser: Browser, base: str, what: tuple[str, str, str | None]) -> list[Result]:
    """Frames while a reader flings from the beginning to the end."""
    name, id_, scroller = what
    page = await _opened(browser, f"{base}/d/{id_}", "section[data-state=done]")
    if scroller is not None:
        await page.wait_for_selector(scroller)
    await page.evaluate(_SCROLL, [scroller, 1.0, SCROLL_PX_PER_S])
    tasks: list[Task] = []
    async with _watched(browser, page, tasks):
        gaps: list[float] = sorted((await page.evaluate(_SCROLL, [scroller, SCROLL_S, SCROLL_PX_PER_S]))[2:])
    await page.context.close()
    share = 100 * sum(one.cpu_ms for one in tasks) / sum(gaps)
    return [
        Result(name=f"{name}: frames", value=1_000 * len(gaps) / sum(gaps), unit="/s", aim="60"),
        Result(name=f"{name}: 99th of 100 frames", value=gaps[len(gaps) * 99 // 100], unit="ms", aim=""),
        Result(name=f"{name}: main thread", value=share, unit="%", aim=""),
        Result(name=f"{name}: longest task", value=max(one.cpu_ms for one in tasks), unit="ms", aim="≤ 16"),
    ]


async def loaded(browser: Browser, base: str) -> list[Result]:
    """What a first visit loads until its screen shows, as gzip would send it."""
    page = await (await browser.new_context()).new_page()
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url) if request.resource_type == "script" else None)
    await page.goto(f"{base}/d/{LONG}")
    await page.wait_for_selector("section[data-state=done]", state="attached")
    names = [Path(url).name for url in scripts]  # What comes later, when the page is idle, is not waited for.
    await page.context.close()
    sizes = [len(gzip.compress((page_files.PAGE / "assets" / name).read_bytes())) for name in names]
    return [Result(name="first load of a document: script", value=sum(sizes) / 1_000, unit="KB", aim="< 60")]


SCROLLS = (
    ("100 sections", LONG, None),
    ("10,000 cells", TABLE, "section .scroll"),
)


async def measured(rounds: int) -> list[Result]:
    """The medians of so many rounds."""
    seen: dict[str, list[Result]] = {}
    async with serving() as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found(), args=list(ARGUMENTS))
        for _ in range(rounds):
            results = await loaded(browser, base) + await written(browser, base)
            for what in SCROLLS:
                results += await scrolled(browser, base, what)
            for one in results:
                seen.setdefault(one.name, []).append(one)
        await browser.close()
    return [
        msgspec.structs.replace(all_[0], value=statistics.median(one.value for one in all_)) for all_ in seen.values()
    ]


def main() -> None:
    """Print the table."""
    results = asyncio.run(measured(ROUNDS))
    rows = [(one.name, f"{one.value:.1f} {one.unit}".strip(), one.aim) for one in results]
    note = "Main thread and tasks are the processor's time, which others on the machine do not lengthen; frames are by the clock."
    table(f"The page in Chromium (medians of {ROUNDS} rounds)", ("what", "measured", "aim"), rows, note)


if __name__ == "__main__":
    main()
