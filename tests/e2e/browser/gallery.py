"""Every screen of the page, and what is done there before one looks: for looking at, and for checking what all must be.

A new screen is one more line in SCREENS; a new state of a document is one more maker in `states.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from playwright.sync_api import Page, expect

from tests.e2e.browser.states import MOMENTS, Gallery
from tests.wording import room_words, words

THREE_COLUMNS_PX: Final = 1_200
"""From this width on the right panel is there without being asked for, though not at once: it is loaded when the text is there."""


class Screen(NamedTuple):
    """A document's state, or a moment of one, or a path; and what is done there before one looks."""

    of: str
    steps: Callable[[Page], None] = lambda _page: None
    at: str = "/d/"
    """Where such documents are shown."""


def _cite(page: Page) -> None:
    # Not by the mouse: for a reader who comes back on a narrow screen, the drawer that was open lies over the text.
    page.get_by_role("main").get_by_role("button", name=re.compile("LICENSE|SECURITY")).first.dispatch_event("click")
    expect(page.locator("mark").first).to_be_visible()


def _timeline(page: Page) -> None:
    expect(page.get_by_role("option").first).to_be_visible()


def _pressing(*keys: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        expect(page.get_by_role("main").get_by_role("heading").first).to_be_visible()
        for key in keys:
            page.keyboard.press(key)

    return press


def _asking(page: Page) -> None:
    _offered(page)
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_role("button", name=words("first.paste"), exact=True).click()
    page.get_by_role("button", name=words("first.start"), exact=True).click()
    expect(page.get_by_text(words("first.noBrief"))).to_be_visible()


def _opening(button: str, *arguments: str) -> Callable[[Page], None]:
    """Press the first button that is called so; on a narrow screen it may stand in the drawer of the outline."""

    def open_(page: Page) -> None:
        _ready(page)
        there = page.get_by_role("button", name=words(button, *arguments)).filter(visible=True)
        if there.count() == 0:
            page.keyboard.press("[")
        there.first.click()
        expect(page.get_by_role("dialog").filter(visible=True)).not_to_be_empty()

    return open_


def _spending(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"^\d+.\d+ · ")).click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_be_visible()


def _panel(name: str) -> Callable[[Page], None]:
    """The right panel, with what it has of the first section; on a narrow screen it is a drawer."""

    def open_(page: Page) -> None:
        _ready(page)
        page.keyboard.press("j")
        if page.evaluate("(px) => innerWidth < px", THREE_COLUMNS_PX):
            page.keyboard.press("]")
        page.get_by_role("tab", name=words(f"panels.{name}")).click()
        expect(page.get_by_role("tabpanel")).not_to_be_empty()

    return open_


def _comparing(page: Page) -> None:
    _panel("history")(page)
    page.get_by_role("button", name=words("history.since")).last.click()
    expect(page.get_by_role("tabpanel").locator("ins").first).to_be_visible()


def _editing(page: Page) -> None:
    _ready(page)
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.get_by_role("main").get_by_role("textbox").first).to_be_visible()


def _previewing(page: Page) -> None:
    _editing(page)
    page.get_by_role("main").get_by_role("textbox").first.fill("Use it as you like.")
    page.get_by_role("button", name=words("edit.save"), exact=True).click()
    expect(page.get_by_role("alertdialog")).to_be_visible()


def _planning(page: Page) -> None:
    _ready(page)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name=words("palette.title"))
    box.fill(words("edit.outline"))
    box.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("textbox").first).to_be_visible()


def _drawer(key: str) -> Callable[[Page], None]:
    """Wide, the key closes a panel; so it is pressed where there is none."""

    def open_(page: Page) -> None:
        _ready(page)
        which = page.get_by_role("complementary") if key == "]" else page.get_by_role("navigation")
        if not which.first.is_visible():
            page.keyboard.press(key)
        expect(which.first).to_be_visible()

    return open_


def _touring(page: Page) -> None:
    _timeline(page)
    page.get_by_role("button", name=room_words("words.tour"), exact=True).click()
    page.get_by_role("tab", name=room_words("words.processes")).click()
    page.get_by_role("button", name=room_words("words.restart")).click()
    expect(page.get_by_role("alertdialog")).to_be_visible()


def _event(page: Page) -> None:
    _timeline(page)
    page.get_by_role("listbox", name=room_words("words.timeline")).press("End")
    expect(page.get_by_role("tabpanel").get_by_text("at_ms")).to_be_visible()


def _moment(page: Page) -> None:
    _timeline(page)
    page.get_by_role("slider", name=room_words("words.scrub")).press("Home")
    expect(page.get_by_role("tab", name=room_words("words.documentThen"), selected=True)).to_be_visible()


def _asked(page: Page) -> None:
    """The form for a column's question."""
    _ready(page)
    page.get_by_role("button", name=words("table.add")).click()
    expect(page.get_by_role("dialog", name=words("table.add"))).to_be_visible()


def _watching(page: Page) -> None:
    """What can be done with the watch of a folder."""
    _drawer("[")(page)
    page.get_by_role("button", name=words("watches.menu", words("watches.folder", "notes", "0001-*.md"))).click()
    expect(page.get_by_role("dialog").filter(visible=True)).not_to_be_empty()


def _unread(page: Page) -> None:
    """What the evidence says of a source that could not be read."""
    _panel("evidence")(page)
    page.get_by_role("tabpanel").get_by_role("button", name=re.compile("broken.pdf")).click()
    expect(page.get_by_role("tabpanel").get_by_role("heading", name="broken.pdf")).to_be_visible()


def _reckoned(page: Page) -> None:
    expect(page.get_by_role("region", name=words("plan.title")).get_by_role("status")).to_contain_text("About")


def _templated(page: Page) -> None:
    _offered(page)
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_label(words("first.template")).select_option(index=1)


def _printing(page: Page) -> None:
    _ready(page)
    page.emulate_media(media="print")


def _offered(page: Page) -> None:
    expect(page.get_by_role("heading", name=words("first.demo"))).to_be_visible()


def _listed(page: Page) -> None:
    expect(page.get_by_role("listitem").first).to_be_visible()


def _filling(page: Page) -> None:
    expect(page.get_by_role("grid")).to_be_visible()


def _ready(page: Page) -> None:
    expect(page.get_by_role("main").get_by_role("heading").first).to_be_visible()


SCREENS: Final[dict[str, Screen]] = {
    "first-run": Screen("/", _offered),
    "first-run-asking": Screen("/", _asking),
    "planning": Screen("planning"),
    "thinking": Screen("thinking", _filling),
    "writing": Screen("writing"),
    "done": Screen("done"),
    "outline": Screen("done", _drawer("[")),
    "evidence": Screen("done", _cite),
    "prompt": Screen("done", _panel("prompt")),
    "history": Screen("locked", _panel("history")),
    "compared": Screen("locked", _comparing),
    "ledger": Screen("stopped", _spending),
    "share": Screen("done", _opening("page.shareHint")),
    "source-menu": Screen("done", _opening("outline.sourceMenu", "LICENSE")),
    "keys": Screen("done", _pressing("?")),
    "palette": Screen("done", _pressing("Control+k")),
    "plan": Screen("done", _planning),
    "editing": Screen("done", _editing),
    "previewing": Screen("done", _previewing),
    "failed": Screen("failed"),
    "queued": Screen("queued"),
    "retrying": Screen("retrying"),
    "fell-back": Screen("fell-back"),
    "stopped": Screen("stopped"),
    "without": Screen("without"),
    "stale": Screen("stale"),
    "locked": Screen("locked"),
    "spent": Screen("spent"),
    "given-up": Screen("given-up"),
    "plan-ready": Screen("plan-ready", _reckoned),
    "no-plan": Screen("no-plan"),
    "unreadable": Screen("unreadable", _drawer("[")),
    "unread": Screen("unreadable", _unread),
    "watching": Screen("watched", _watching),
    "column": Screen("done", _asked),
    "column-menu": Screen("done", _opening("table.menu", "Who")),
    "first-run-template": Screen("/", _templated),
    "embedded": Screen("writing", at="/embed/"),
    "printed": Screen("done", _printing),
    "control-writing": Screen("writing", _timeline, at="/control/"),
    "control-done": Screen("done", _timeline, at="/control/"),
    "control-tour": Screen("thinking", _touring, at="/control/"),
    "control-event": Screen("done", _event, at="/control/"),
    "control-moment": Screen("done", _moment, at="/control/"),
    "library": Screen("/library", _listed),
    "settings": Screen("/settings", _listed),
    "gone": Screen(f"/d/{'0' * 32}"),
}


HELD: Final = """
([query, document, sequence, now_ms]) => {
  if (location.search !== query) return; // The next screen in this tab has no use for it.
  const { fetch } = window;
  const snapshot = new TextEncoder().encode(`event: snapshot\\nid: 1-${sequence}-0\\ndata: ${document}\\n\\n`);
  const stream = () => new Response(new ReadableStream({ start: (to) => to.enqueue(snapshot) }));
  window.fetch = (input, init) => (String(input).endsWith('/events') ? Promise.resolve(stream()) : fetch(input, init));
  Date.now = () => now_ms;
}
"""
"""A stream that has told of a moment, and tells no more; and a clock that stands still at it."""


def show(page: Page, home: str, gallery: Gallery, name: str) -> None:
    """Bring a screen up: nothing moves any more, but what the model says."""
    screen = SCREENS[name]
    path = screen.of
    if screen.of in MOMENTS:
        document, then, now_ms = gallery.moment(screen.of)
        query = f"?{screen.of}"
        page.add_init_script(f"({HELD})({json.dumps([query, document.decode(), then.sequence, now_ms])})")
        path = screen.at + then.id + query
    elif not screen.of.startswith("/"):
        path = screen.at + gallery.document(screen.of)
    page.context.add_cookies(gallery.cookies())
    page.goto(home + path)
    expect(page.get_by_role("main")).to_be_visible()
    if not screen.of.startswith("/"):
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    screen.steps(page)
