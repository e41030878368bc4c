"""Every screen of the page, and every state that a document can be seen in: for looking at, and for checking what all must be.

A new screen is one more line in SCREENS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any, Final, NamedTuple

import httpx2
from playwright.sync_api import Page, expect

from schemas.document import Document, Done, Paused
from tests.dictated import MODEL, DictatedModel
from tests.e2e.browser.reading import LICENSE, ROOT, create, in_the_log, until
from tests.wording import words

WORDS: Final = (
    "A licence says what others may do with a work. This one lets them **use, change and pass on** the work",
    ', also for money [[s1:1 "Apache License"]]. It asks for little in return:\n\n- keep the notices\n- say what was changed\n\n',
    "| who | may | must |\n|---|---|---|\n| a user | use it | nothing |\n| a vendor | sell it | keep the notices |\n\n",
    "> The Work is provided on an “as is” basis.\n\nIn code: `SPDX-License-Identifier: Apache-2.0`, and more:\n\n",
    "```\nCopyright [yyyy] [name of copyright owner]\n```\n",
)
FOR_EVER = 86_400_000


class Gallery:
    """Documents in every state, made once."""

    def __init__(self, client: httpx2.Client, simulator: httpx2.Client, model: DictatedModel) -> None:
        self._client = client
        self._simulator = simulator
        self._model = model
        self._made: dict[str, str] = {}

    def document(self, state: str) -> str:
        """The document of a state; made when it is first asked for."""
        if state not in self._made:
            self._made[state] = MAKERS[state](self)
        return self._made[state]

    def cookies(self) -> list[Any]:
        """The keys of all documents so far, for the browser of whoever made them."""
        jar: CookieJar = self._client.cookies.jar
        return [
            {
                "name": one.name,
                "value": one.value or "",
                "domain": one.domain,
                "path": one.path,
                "httpOnly": True,
                "sameSite": "Strict",
            }
            for one in jar
        ]

    def dictated(self, state: str, number: int, **policy: Any) -> str:
        """So many sections of cells `<state>-1` and so on, the last of them waiting for the others."""
        ids = [f"{state}-{n}" for n in range(1, number + 1)]
        headings = ("What is granted", "What is asked", "What is not", "Patents", "Trademarks")
        outline: list[dict[str, Any]] = [
            {"id": id_, "heading": heading, "instructions": "Say it."}
            for id_, heading in zip(ids, headings, strict=False)
        ]
        outline.append({"id": f"{state}-sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ids})
        return self._create("What this licence allows", {"sections": outline}, model=MODEL, **policy)

    def planning(self) -> str:
        return self._create("What this licence allows", None, model=MODEL)

    def writing(self) -> str:
        self._model.says("writing-1", *WORDS[:3])
        self._model.answers("writing-3", *WORDS)
        id_ = self.dictated("writing", 4)
        self._until(id_, lambda document: _is_written(document, "writing-3"))
        return id_

    def done(self) -> str:
        columns = [
            {"id": "who", "heading": "Who", "instructions": "Who is addressed?"},
            {"id": "must", "heading": "Must", "instructions": "What must they do?"},
        ]
        outline = [
            {"id": "granted", "heading": "What is granted", "instructions": "Copyright and patents."},
            {"id": "table", "heading": "Side by side", "instructions": "Compare.", "columns": columns},
            {"id": "sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["granted", "table"]},
        ]
        id_ = self._create("What this licence allows", {"sections": outline})
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def failed(self) -> str:
        self._model.says("failed-1", *WORDS[:2])
        self._model.answers("failed-2", *WORDS)
        id_ = self.dictated("failed", 3, cell_deadline_s=1)
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def troubled(self) -> str:
        busy = {"error_429_seconds": 1, "retry_after_s": 3_600}
        self._simulator.patch("/dials", json={"model": "busy", "dials": busy}).raise_for_status()
        ids = ["one", "two"]
        outline = [{"id": id_, "heading": f"Part {id_}", "instructions": "Say it."} for id_ in ids]
        id_ = self._create("What this licence allows", {"sections": outline}, model="simulator/busy")
        self._until(id_, lambda document: any(cell.attempts for cell in document.cells.values()))
        return id_

    def stopped(self) -> str:
        self._model.says("stopped-1", *WORDS[:3])
        self._model.answers("stopped-2", *WORDS)
        id_ = self.dictated("stopped", 3)
        self._until(id_, lambda document: _is_written(document, "stopped-2"))
        self._client.post(f"/api/documents/{id_}/stop").raise_for_status()
        self._until(
            id_, lambda document: isinstance(document.run, Paused) and bool(document.stop and document.stop.attempts)
        )
        return id_

    def _create(self, brief: str, outline: dict[str, Any] | None, **policy: Any) -> str:
        sources = [
            {"name": "LICENSE", "text": LICENSE},
            {"name": "SECURITY.md", "text": (ROOT / "SECURITY.md").read_text(encoding="utf-8")},
        ]
        return create(
            self._client,
            brief=brief,
            title="" if outline is None else "What this licence allows",
            sources=sources,
            policy={"grace_ms": FOR_EVER, **policy},
            **({} if outline is None else {"outline": outline}),
        )

    def _until(self, document: str, holds: Callable[[Document], bool]) -> None:
        until(lambda: holds(in_the_log(self._client, document)))


def _is_written(document: Document, cell: str) -> bool:
    found = document.cells.get(cell)
    return found is not None and found.completed is not None


MAKERS: Final[dict[str, Callable[[Gallery], str]]] = {
    "planning": Gallery.planning,
    "writing": Gallery.writing,
    "done": Gallery.done,
    "failed": Gallery.failed,
    "troubled": Gallery.troubled,
    "stopped": Gallery.stopped,
}


class Screen(NamedTuple):
    """A document's state, or a path; and what is done there before one looks."""

    of: str
    steps: Callable[[Page], None] = lambda _page: None
    at: str = "/d/"
    """Where such documents are shown."""


def _cite(page: Page) -> None:
    page.get_by_role("main").get_by_role("button", name=re.compile("LICENSE|SECURITY")).first.click()
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
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_role("button", name=words("first.paste"), exact=True).click()
    page.get_by_role("button", name=words("first.start"), exact=True).click()
    expect(page.get_by_text(words("first.noBrief"))).to_be_visible()


SCREENS: Final[dict[str, Screen]] = {
    "first-run": Screen("/"),
    "first-run-asking": Screen("/", _asking),
    "planning": Screen("planning"),
    "writing": Screen("writing"),
    "done": Screen("done"),
    "evidence": Screen("done", _cite),
    "keys": Screen("done", _pressing("?")),
    "palette": Screen("done", _pressing("Control+k")),
    "failed": Screen("failed"),
    "troubled": Screen("troubled"),
    "stopped": Screen("stopped"),
    "control-writing": Screen("writing", _timeline, at="/control/"),
    "control-done": Screen("done", _timeline, at="/control/"),
    "gone": Screen(f"/d/{'0' * 32}"),
}


def show(page: Page, home: str, gallery: Gallery, name: str) -> None:
    """Bring a screen up: nothing moves any more, but what the model says."""
    screen = SCREENS[name]
    path = screen.of if screen.of.startswith("/") else screen.at + gallery.document(screen.of)
    page.context.add_cookies(gallery.cookies())
    page.goto(home + path)
    expect(page.get_by_role("main")).to_be_visible()
    if not screen.of.startswith("/"):
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    screen.steps(page)
    page.wait_for_load_state("networkidle" if screen.of.startswith("/") else "load")
