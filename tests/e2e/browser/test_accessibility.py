"""axe-core finds nothing, on any screen, in either theme, wide or narrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.gallery import SCREENS, show
from tests.e2e.browser.states import Gallery
from tests.e2e.browser.visitor import Visitor
from tests.e2e.systems import dictated_system
from tests.system import System
from tests.wording import WEB

AXE = (WEB / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NARROW_TOO = frozenset(
    {"first-run", "plan", "writing", "done", "evidence", "failed", "library", "settings", "control-done"}
)
"""Where what is on the screen is another thing for who comes with a phone: these are loaded there, too."""
COLOURS = ("color-contrast", "link-in-text-block")
"""Axe's rules of colours: a theme changes nothing else."""
WIDE, NARROW = {"width": 1_400, "height": 900}, {"width": 360, "height": 780}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: DictatedModel) -> Iterator[System]:
    """One of its own, which holds the documents of the gallery and no others."""
    with dictated_system(tmp_path_factory.mktemp("up"), model) as started:
        yield started


@pytest.fixture(scope="module")
def gallery(system: System, model: DictatedModel) -> Iterator[Gallery]:
    """All states, for all tests here."""
    with (
        httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as client,
        httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30) as simulator,
    ):
        yield Gallery(client, simulator, model)


@pytest.fixture(scope="module")
def still(browser: Browser, system: System) -> Iterator[Visitor]:
    """A reader who wants nothing to move: a colour on its way to another has no contrast to speak of."""
    visitor = Visitor(browser, system.gateway, viewport=WIDE, reduced_motion="reduce")
    visitor.forgive("status of 404")  # A document that is not there is looked for, once.
    yield visitor
    visitor.close()
    visitor.check()


@pytest.fixture(scope="module")
def tab(still: Visitor) -> Page:
    """One for all: in the same process, neither the page nor axe-core is compiled anew. It remembers no panels."""
    page = still.context.new_page()
    page.add_init_script("sessionStorage.clear()")
    return page


def found(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe-core has against this page; by all its rules, or by these."""
    if page.evaluate("() => globalThis.axe === undefined"):
        page.evaluate(AXE)
    violations: list[dict[str, Any]] = page.evaluate(
        "(only) => axe.run({ resultTypes: ['violations'], ...(only.length && { runOnly: only }) })"
        ".then((found) => found.violations)",
        rules,
    )
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary']})"
        for violation in violations
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", SCREENS)
def test_axe_finds_nothing_on(name: str, tab: Page, still: Visitor, gallery: Gallery) -> None:
    for size in (WIDE, NARROW) if name in NARROW_TOO else (WIDE,):
        tab.set_viewport_size({"width": size["width"], "height": size["height"]})
        tab.emulate_media(media="screen", color_scheme=THEMES[0], reduced_motion="reduce")
        show(tab, still.home, gallery, name)
        # Colours are the same whatever the width.
        for theme in THEMES if size is WIDE else THEMES[:1]:
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wrong = found(tab, () if theme == THEMES[0] else COLOURS)
            assert not wrong, f"{chr(10).join(wrong)}\n{name}, {theme}, {size['width']} wide"
        if size is WIDE:  # The same page, as in a window that is made narrow: whatever was open is over the text.
            tab.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
            for theme in reversed(THEMES):
                tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
                wrong = found(tab, () if theme == THEMES[0] else COLOURS)
                assert not wrong, f"{chr(10).join(wrong)}\n{name}, {theme}, made {NARROW['width']} wide"


def test_axe_finds_what_is_wrong(still: Visitor) -> None:
    page = still.open()
    expect(page.get_by_role("main")).to_be_visible()
    page.evaluate("() => { document.querySelector('main').append(new Image()); document.title = ''; }")
    assert {line.split(":")[0] for line in found(page)} >= {"image-alt", "document-title"}


def test_axe_finds_a_colour_that_cannot_be_read_by_its_rules_of_colours(still: Visitor) -> None:
    page = still.open()
    expect(page.get_by_role("main")).to_be_visible()
    page.evaluate(
        "() => { const faint = document.createElement('p'); faint.textContent = 'Can anybody read this?';"
        " faint.style.color = '#777'; faint.style.background = '#888'; document.querySelector('main').append(faint); }"
    )
    assert {line.split(":")[0] for line in found(page, COLOURS)} == {"color-contrast"}
