"""The control room as somebody uses it who presents event-driven AI: what is done there happens, and what happens is seen there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect

from schemas.cells import text_digest
from schemas.citations import MARKER
from schemas.document import Document, decode
from tests.e2e.browser.logged import facts
from tests.e2e.browser.reading import (
    LICENSE,
    ROOT,
    assert_reads,
    button,
    cookies_of,
    create,
    in_the_log,
    letters,
    section,
    until,
    until_billed,
    until_complete,
)
from tests.e2e.browser.visitor import Visitor
from tests.e2e.systems import QUICK
from tests.system import System, running, sections
from tests.wording import room_words, words

PATIENCE = """
[limits]
first_token_ms = 20000
between_tokens_ms = 4000
tries_max = 20
"""
"""What stalls is given up while the test still looks, and no cell is given up before the errors are turned down again."""
SLOW = {"pace": "fixed", "first_token_ms": 50, "token_interval_ms": 2_000}
"""A minute for the sentence in a table's cell: nothing is finished before it was looked at, however busy the machine is."""
TELLING = {"pace": "fixed", "first_token_ms": 50, "token_interval_ms": 30}
"""The same for a section, which is seen word by word."""
SOURCES = [
    {"name": "LICENSE", "text": LICENSE},
    {"name": "ARCHITECTURE.md", "text": (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")},
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`scriptorium up` in demo mode, with two writers that give up a stalled call soon."""
    folder = tmp_path_factory.mktemp("up")
    config = folder / "scriptorium.toml"
    config.write_text(PATIENCE + QUICK, encoding="utf-8")
    with running(folder / "data", "--writers", "2", "--config", str(config)) as started:
        yield started


class Room:
    """A control room in a tab of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.timeline = page.get_by_role("listbox", name=room_words("words.timeline"))
        self.flags = page.get_by_role("list", name=room_words("words.flags")).get_by_role("listitem")
        self.log = page.get_by_role("listbox", name=room_words("words.log"))
        self.tour = page.get_by_role("region", name=room_words("words.tour"))
        self.panel = page.get_by_role("tabpanel")

    @property
    def id(self) -> str:
        """The document whose room it is."""
        return self.page.url.rstrip("/").rsplit("/", 1)[1]

    def bars(self, like: str) -> Locator:
        """Bars of the waterfall, by what is said of them."""
        return self.timeline.get_by_role("option", name=re.compile(like))

    def lines(self, type_: str) -> Locator:
        """Lines of the log, of one type of event."""
        return self.log.get_by_role("option").filter(has=self.page.get_by_text(type_, exact=True))

    def to_first(self, type_: str) -> None:
        """Choose the first event of one type in the log, which brings its row of the waterfall into view."""
        search = self.page.get_by_role("searchbox", name=room_words("words.filter"))
        search.fill(type_)
        self.lines(type_).first.click()
        search.fill("")

    def counter(self, name: str) -> Locator:
        """One of the live counters: value and promise."""
        term = self.page.get_by_role("term").filter(has_text=room_words(f"counter.{name}"))
        return self.page.get_by_role("region", name=room_words("words.counters")).locator("div").filter(has=term)

    def press(self, name: str, *arguments: str) -> None:
        """A button, by the words on it."""
        button(self.page, room_words(f"words.{name}", *arguments)).click()

    def sure(self, action: str) -> None:
        """Yes, do it."""
        self.page.get_by_role("alertdialog").get_by_role("button", name=room_words(f"words.yes.{action}")).click()

    def go_on(self) -> None:
        """What was begun slowly is stopped, and begun anew at the speed of now."""
        self.press("stop")
        expect(self.lines("DocumentPaused")).to_have_count(1)
        self.press("resume")

    def turn(self, dial: str, value: int) -> None:
        """One of the dials."""
        self.page.get_by_role("slider", name=dial, exact=True).fill(str(value))

    def said(self, pattern: str) -> re.Match[str]:
        """Wait until the status line says something like this."""
        line = self.page.get_by_role("banner").get_by_text(re.compile(pattern))
        expect(line).to_be_visible()
        found = re.search(pattern, line.inner_text())
        assert found is not None
        return found


class Rooms:
    """Documents and their control rooms, in one browser."""

    def __init__(self, visitor: Visitor, client: httpx2.Client) -> None:
        self.visitor = visitor
        self.client = client

    def made(self, number: int = 3, **policy: Any) -> str:
        """A document of so many sections and a summary, whose policy is never to stop for want of viewers unless told."""
        return self._made(sections(number + 1), **policy)

    def _made(self, outline: dict[str, Any], **policy: Any) -> str:
        policy = {"grace_ms": "never", **policy}
        # Each has a brief of its own: what has been written already would come from the cache.
        brief = f"How it works, told for the {len(self.client.cookies.jar)}th time"
        id_ = create(self.client, brief=brief, sources=SOURCES, outline=outline, policy=policy)
        self.visitor.context.add_cookies(cookies_of(self.client))
        return id_

    def table(self, columns: int, **policy: Any) -> str:
        """A table of so many questions to both sources: twice as many short cells, that depend on nothing."""
        asked = [
            {"id": f"q{n}", "heading": f"Question {n}", "instructions": f"What of point {n}?"} for n in range(columns)
        ]
        outline = {
            "sections": [{"id": "table", "heading": "Side by side", "instructions": "One each.", "columns": asked}]
        }
        return self._made(outline, **policy)

    def open(self, document: str) -> Room:
        """The room of one."""
        return Room(self.visitor.open(f"/control/{document}"))


@pytest.fixture
def rooms(visitor: Visitor, client: httpx2.Client) -> Rooms:
    """Opens control rooms in the browser of whoever made the documents."""
    return Rooms(visitor, client)


def assert_right(document: Document) -> None:
    """Every text is the one that its digest was made of, and every quote stands in its source."""
    assert document.cells
    for id_, cell in document.cells.items():
        if id_ == "outline" or cell.completed is None:
            continue
        assert text_digest(cell.completed.text) == cell.completed.output_digest, id_
        assert all(citation.verified for citation in cell.completed.citations), id_
    completed = [cell.completed for cell in document.cells.values() if cell.completed is not None]
    # What would not halt was cut, and says so.
    assert len([one for one in completed if one.citations or one.cut]) >= len(document.outline)


def test_errors_turned_up_in_the_room_are_seen_there_and_the_document_still_comes_right(
    rooms: Rooms, system: System, simulator: httpx2.Client
) -> None:
    room = rooms.open(rooms.made(1))
    # A turn is told in passing: once the writers' samples are heard, it will be, too.
    expect(room.counter("flight")).to_contain_text(re.compile(r"\d of \d"))
    room.turn("Errors", 100)
    until(lambda: simulator.get("/dials").json()["live"] == {"*": {"faults": 1}})
    expect(room.lines("DialsTurned")).to_have_count(1)
    expect(room.flags.filter(has_text="Dials: faults = 1")).to_have_count(1)
    id_ = rooms.made(5)
    room = rooms.open(id_)
    expect(room.page.get_by_role("slider", name="Errors", exact=True)).to_have_value("100")
    expect(room.bars("failed").first).to_be_attached()
    expect(room.bars("waits .* for its next try").first).to_be_attached()
    room.press("reset")
    until(lambda: simulator.get("/dials").json()["live"] == {})
    document = until_billed(rooms.client, id_)
    assert_right(document)
    expect(room.page.get_by_role("banner").get_by_text("Complete")).to_be_visible()
    failed = [fact for fact in facts(system, id_).values() if b'"AttemptFailed"' in fact]
    assert failed
    expect(room.counter("retries")).to_contain_text(f"{len(failed)} of ")
    expect(room.bars("attempt .* failed")).to_have_count(len(failed))
    expect(room.bars("attempt .* completed")).to_have_count(len(document.outline))
    # What happens to the house after its end has a place on its timeline, too.
    room.turn("Stalls", 5)
    expect(room.flags.filter(has_text="stall = 0.05")).to_have_count(1)


def test_a_killed_writers_cells_are_taken_over_and_it_is_started_again(
    rooms: Rooms, system: System, simulator: httpx2.Client
) -> None:
    simulator.patch("/dials", json={"dials": SLOW}).raise_for_status()
    id_ = rooms.table(3)
    room = rooms.open(id_)
    expect(room.bars("attempt .* running")).to_have_count(6)
    room.press("kill")
    # Something drastic is asked once more; Escape means no.
    expect(room.page.get_by_role("alertdialog")).to_contain_text("SIGKILL")
    room.page.keyboard.press("Escape")
    expect(room.page.get_by_role("alertdialog")).to_have_count(0)
    assert len(system.pids("writer")) == 2
    before = system.pids("writer")
    room.press("kill")
    room.sure("kill")
    name = room.said(r"(writer-\d) was killed")[1]
    room.press("reset")
    room.page.get_by_role("tab", name=room_words("words.processes")).click()
    row = room.panel.get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text(room_words("PROCESS_STATES.running.word"))
    (lost,) = set(before) - set(system.pids("writer"))
    expect(row).not_to_contain_text(str(lost))
    expect(room.lines("ProcessKilled")).to_have_count(1)
    expect(room.page.get_by_text(f"{name} killed").first).to_be_attached()
    # What it had in hand ends hatched, and is written by somebody else, who outranks it.
    orphans = room.bars(rf"attempt 1\.1\.1 .* pid {lost}, .* lost with its writer")
    started = [msgspec.json.decode(fact) for fact in facts(system, id_).values() if b'"AttemptStarted"' in fact]
    in_hand = [fact["cell"] for fact in started if f"-{lost}-" in fact["writer"]]
    assert in_hand
    expect(orphans).to_have_count(len(in_hand))
    expect(room.bars(r"attempt 1\.2\.\d .* completed")).to_have_count(len(in_hand))
    if len(in_hand) < 6:
        room.go_on()
    document = until_billed(rooms.client, id_, lost=len(in_hand))
    assert_right(document)


def test_a_writer_is_frozen_and_thawed(rooms: Rooms, system: System, simulator: httpx2.Client) -> None:
    simulator.patch("/dials", json={"dials": SLOW}).raise_for_status()
    id_ = rooms.table(1)
    room = rooms.open(id_)
    expect(room.bars("attempt .* running")).to_have_count(2)
    room.press("freeze")
    name = room.said(r"(writer-\d) is frozen")[1]
    until(lambda: "T" in map(state_of, system.pids("writer")))
    room.page.get_by_role("tab", name=room_words("words.processes")).click()
    row = room.panel.get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text(room_words("PROCESS_STATES.frozen.word"))
    room.press("thaw", name)
    expect(row).to_contain_text(room_words("PROCESS_STATES.running.word"))
    assert "T" not in map(state_of, system.pids("writer"))
    room.press("reset")
    room.go_on()
    assert_right(until_billed(rooms.client, id_))


def state_of(pid: int) -> str:
    """As proc(5) has it: T is stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_a_restarted_bus_loses_nothing(
    rooms: Rooms, system: System, client: httpx2.Client, simulator: httpx2.Client
) -> None:
    simulator.patch("/dials", json={"dials": TELLING}).raise_for_status()
    rooms.visitor.forgive("status of 503")  # Whoever is asked while the bus is away says so.
    id_ = rooms.made(1)
    page = rooms.visitor.open(f"/d/{id_}")
    room = rooms.open(id_)
    expect(section(page, "Part 1").get_by_role("paragraph").filter(has_text=re.compile(r"\w")).first).to_be_visible()
    (before,) = system.pids("nats-server")
    room.press("restart")
    room.sure("restart")
    expect(room.lines("BusLost")).to_have_count(1)
    expect(room.lines("BusReturned")).to_have_count(1)
    assert system.pids("nats-server") != [before]
    # The room folds what it was told, the gateway what stands in the log: they must come to the same.
    expect(room.counter("resumes")).to_contain_text("1 of 1")
    room.press("cut")
    expect(room.counter("resumes")).to_contain_text("2 of 2")
    room.press("reset")
    assert_right(until_billed(rooms.client, id_))
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))
    expect(room.page.get_by_text(f"{len(facts(system, id_))} of {len(facts(system, id_))} facts")).to_be_visible()


def test_when_the_last_tab_closes_the_room_which_is_no_viewer_shows_every_call_closed(
    rooms: Rooms, simulator: httpx2.Client
) -> None:
    simulator.patch("/dials", json={"dials": SLOW}).raise_for_status()
    id_ = rooms.table(2, grace_ms=0)
    page = rooms.visitor.open(f"/d/{id_}")
    room = rooms.open(id_)
    expect(room.bars("attempt .* running")).to_have_count(4)
    expect(room.counter("flight")).to_contain_text(re.compile(r"now 4\b"))
    page.close()
    expect(room.lines("DocumentPaused")).to_have_count(1)
    expect(room.bars("attempt .* cancelled")).to_have_count(4)
    expect(room.counter("stop")).to_contain_text("4 receipts")
    expect(room.counter("flight")).to_contain_text(re.compile(r"now 0\b"))
    expect(room.counter("after")).to_contain_text(re.compile(r"stop 0\b"))
    assert simulator.get("/record/open", params={"document": id_}).json() == []
    ended = {call["ended"] for call in simulator.get("/record", params={"document": id_}).json()}
    assert ended == {"client_gone"}


def test_a_fallback_is_drawn_as_one(rooms: Rooms, simulator: httpx2.Client) -> None:
    simulator.patch("/dials", json={"model": "scribe", "dials": {"error_context": 1}}).raise_for_status()
    id_ = rooms.table(1)
    room = rooms.open(id_)
    assert_right(until_billed(rooms.client, id_))
    bar = room.bars("by simulator.scribe-large, instead of simulator.scribe, .* completed").first
    expect(bar.locator("css=text")).to_have_text("⇄")
    expect(room.counter("detours")).to_contain_text(re.compile(r"hedges [1-9]\d* · 0"))
    rows = room.page.get_by_role("combobox", name=room_words("words.rows"))
    rows.select_option(room_words("words.rowsShown.running"))
    expect(room.page.get_by_text(room_words("words.noRows.running"))).to_be_visible()
    rows.select_option(room_words("words.rowsShown.detours"))
    expect(bar).to_be_attached()


@pytest.mark.usefixtures("simulator")
def test_the_log_is_filtered_and_held_and_shows_each_fact_as_it_was_on_the_bus(rooms: Rooms, system: System) -> None:
    id_ = rooms.made(2)
    until_billed(rooms.client, id_)
    room = rooms.open(id_)
    stored = facts(system, id_)
    hint = room.page.get_by_role("searchbox", name=room_words("words.filter"))
    hint.fill("summary CellCompleted")
    expect(room.log.get_by_role("option")).to_have_count(1)
    hint.fill("")
    expect(room.page.get_by_text(room_words("words.lines", len(stored)))).to_be_visible()
    button(room.page, room_words("KINDS.fact")).click()
    expect(room.log.get_by_role("option")).to_have_count(0)
    button(room.page, room_words("KINDS.fact")).click()
    # By the keyboard, line by line: what stands there is what is stored, to the letter.
    room.log.focus()
    room.page.keyboard.press("Home")
    room.press("asOnBus")
    for sequence, data in sorted(stored.items())[:12]:
        expect(room.panel.locator("pre")).to_have_text(data.decode(), use_inner_text=False)
        assert room.panel.locator("pre").text_content() == data.decode(), sequence
        room.log.focus()
        room.page.keyboard.press("ArrowDown")
    # Held, it stands still whatever happens; let go, it has all of it.
    room.press("pause")
    shown = room.log.get_by_role("option").count()
    room.turn("Stalls", 5)
    expect(room.page.get_by_text(room_words("words.held", 1), exact=False)).to_be_visible()
    assert room.log.get_by_role("option").count() == shown
    expect(room.lines("DialsTurned")).to_have_count(0)
    room.press("go")
    expect(room.lines("DialsTurned")).to_have_count(1)


def test_what_is_chosen_here_is_chosen_on_the_page_and_the_other_way_round(rooms: Rooms) -> None:
    id_ = rooms.made(2)
    until_billed(rooms.client, id_)
    page, room = rooms.visitor.open(f"/d/{id_}"), rooms.open(id_)
    until_complete(page)
    outline = page.get_by_role("navigation", name=words("page.outline"))
    graph = room.page.get_by_role("listbox", name=room_words("words.graph"))
    expect(outline.get_by_role("button", name=re.compile("Part 2"))).to_be_visible()
    graph.get_by_role("option", name=re.compile("Part 2")).click()
    expect(outline.locator("[aria-current]")).to_contain_text("Part 2")
    outline.get_by_role("button", name=re.compile("Summary")).click()
    expect(graph.get_by_role("option", selected=True)).to_have_accessible_name(re.compile("Summary, Done"))


def test_a_replayed_moment_is_what_the_server_says_of_it(rooms: Rooms, system: System, client: httpx2.Client) -> None:
    id_ = rooms.made(2)
    until_billed(rooms.client, id_)
    room = rooms.open(id_)
    stored = sorted(facts(system, id_))
    expect(room.page.get_by_text(f"{len(stored)} of {len(stored)} facts")).to_be_visible()
    scrubber = room.page.get_by_role("slider", name=room_words("words.scrub"))
    for moment in range(1, len(stored), 3):
        scrubber.fill(str(moment))
        expect(room.page.get_by_text(f"{moment} of {len(stored)} facts")).to_be_visible()
        then = decode(client.get(f"/api/documents/{id_}", params={"at": stored[moment - 1]}).raise_for_status().content)
        shown = letters(re.sub(r"\[s\d+:\d+\]", "", room.panel.inner_text()))
        for part in then.outline:
            cell = then.cells.get(part.id)
            text = "" if cell is None or cell.completed is None else MARKER.sub("", cell.completed.text)
            state = words(f"STATES.{SHOWN[type(cell.state).__name__ if cell else 'Waiting']}")
            assert letters(f"{part.heading}{state}{text}") in shown, (moment, part.id)
    room.press("live")
    expect(scrubber).to_have_value(str(len(stored)))


SHOWN = {
    "Waiting": "waiting",
    "Queued": "queued",
    "Writing": "thinking",
    "Retrying": "retrying",
    "Completed": "done",
    "Failed": "failed",
    "Cancelled": "cancelled",
}
"""Of a moment there are the facts, and no ink."""


def test_the_tour_is_walked_and_notices_each_of_its_six_steps(
    rooms: Rooms, system: System, simulator: httpx2.Client
) -> None:
    room = rooms.open(rooms.made(1))
    room.press("tour")

    def seen(step: str) -> None:
        expect(room.tour.get_by_text(room_words(f"TOUR_WORDS.{step}.seen"))).to_be_visible()
        if step != "replay":
            room.tour.get_by_role("button", name=room_words("tour.next"), exact=True).click()

    def does(step: str) -> None:
        room.tour.get_by_role("button", name=room_words(f"TOUR_WORDS.{step}.does"), exact=True).click()

    def demo(step: str) -> Page:
        """It starts a demo, whose page comes in a new tab, and whose control room here."""
        before = room.id
        with room.page.expect_popup() as tab:
            does(step)
        room.page.wait_for_url(lambda url: before not in url)
        expect(room.bars("attempt .* running").first).to_be_attached()
        return tab.value

    page = demo("errors")
    seen("errors")

    does("kill")
    room.sure("kill")
    seen("kill")

    page.close()
    expect(room.lines("LastViewerLeft")).to_have_count(1)
    with room.page.expect_popup() as tab:
        does("tab")
    seen("tab")
    tab.value.close()

    page = demo("hedge")
    seen("hedge")
    rows = room.page.get_by_role("combobox", name=room_words("words.rows"))
    rows.select_option(room_words("words.rowsShown.detours"))
    room.to_first("CallReserved")
    expect(room.bars("a hedge|lost race").first).to_be_attached()

    def has_turned() -> bool:
        live = simulator.get("/dials").json()["live"]["*"]
        return live["first_token_p99_ms"] > 2 * live["first_token_ms"]

    until(has_turned)  # By itself; on a busy machine a call may have been late before that.
    room.press("reset")
    id_ = room.id
    before = until_billed(rooms.client, id_)
    calls = len(simulator.get("/record", params={"document": id_}).json())

    does("edit")
    seen("edit")
    until(lambda: in_the_log(rooms.client, id_).version > before.version)
    after = until_billed(rooms.client, id_)
    changed = {id_ for id_, cell in after.cells.items() if cell.revision != before.cells[id_].revision}
    assert changed == {id_ for id_ in after.cells if id_.startswith("table:s5:")} | {"summary"}
    assert len(simulator.get("/record", params={"document": id_}).json()) < calls + 2 * len(changed)

    does("replay")
    seen("replay")
    expect(room.tour.get_by_text(room_words("tour.all"))).to_be_visible()
    expect(room.page.get_by_text(f"{len(facts(system, id_))} of {len(facts(system, id_))} facts")).to_be_visible()
