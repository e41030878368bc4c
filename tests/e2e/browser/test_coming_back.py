"""Away and back again: no network, a tab that freezes, a bus that restarts, a reader who leaves for good, and one who stays.

What was said meanwhile is read, once, by everybody; and whatever was to go on has gone on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from schemas.document import Done, Paused, Running
from tests.dictated import MODEL, DictatedModel
from tests.e2e.browser.hearing import HEAR
from tests.e2e.browser.logged import APPLY, assert_applied
from tests.e2e.browser.owned import editing, give_key
from tests.e2e.browser.reading import (
    LICENSE,
    PATIENT,
    assert_reads,
    button,
    dictated,
    in_the_log,
    section,
    until,
    until_billed,
    until_complete,
)
from tests.e2e.browser.visitor import GATEWAY_AWAY, Visitor
from tests.system import System, sections
from tests.wording import words

FIRST, SECOND, THIRD = "The first words stand here.", " Then come these.", " And these are the last."
AWAY = f"net::ERR_INTERNET_DISCONNECTED|{GATEWAY_AWAY}"
SHOWN = """
(isShown) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => !isShown });
  document.dispatchEvent(new Event('visibilitychange'));
}
"""
"""A headless Chromium hides no tab, whichever is in front: it is told so."""


@pytest.fixture
def another(browser: Browser, system: System) -> Iterator[Visitor]:
    """Somebody else's browser."""
    visitor = Visitor(browser, system.gateway, viewport={"width": 1400, "height": 900})
    yield visitor
    visitor.close()
    visitor.check()


class Kept:
    """A document that is being written, open in the browser that has its key. Whoever leaves last stops it at once."""

    def __init__(self, visitor: Visitor, client: httpx2.Client, model: DictatedModel, parts: int = 2) -> None:
        body = {
            "brief": "Terms",
            "outline": sections(parts),
            "policy": {"model": MODEL, "grace_ms": 0},
            "sources": [{"name": "LICENSE", "text": LICENSE}],
        }
        sent = {"Content-Type": "application/json"}
        made = client.post("/api/documents", content=msgspec.json.encode(body), headers=sent).json()
        self.id: str = made["id"]
        give_key(visitor, self.id, made["key"])
        self.page = visitor.open(f"/d/{self.id}")
        model.says("part-1", FIRST)
        reads(self.page, FIRST)


def reads(page: Page, text: str) -> None:
    """Wait until the first part's text is this, from its first letter to its last."""
    expect(section(page, "Part 1").get_by_role("paragraph").filter(has_text=FIRST[:9])).to_have_text(text)


def finish(model: DictatedModel) -> None:
    model.ends("part-1")
    model.answers("summary", FIRST)


def test_without_a_network_the_page_says_so_and_then_how_much_it_has_caught_up_with(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.context.add_init_script(HEAR)
    visitor.forgive(AWAY)
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, FIRST)
    visitor.context.set_offline(True)
    model.says("part-1", SECOND)
    page.wait_for_function(r"() => window.heard.some((said) => /^Reconnecting, \d+ s$/.test(said.trim()))")
    reads(page, FIRST)
    visitor.context.set_offline(False)
    reads(page, FIRST + SECOND)
    page.wait_for_function(r"() => window.heard.some((said) => /^Caught up, \d+ events?$/.test(said.trim()))")
    finish(model)
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))


def test_a_tab_that_is_frozen_hands_over_and_one_that_thaws_is_right(
    visitor: Visitor, system: System, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.context.add_init_script(APPLY)
    id_ = dictated(client, sections(2))
    leader = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(leader, FIRST)
    follower = visitor.open(f"/d/{id_}")
    reads(follower, FIRST)
    devtools = visitor.context.new_cdp_session(leader)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    model.says("part-1", SECOND)
    reads(follower, FIRST + SECOND)  # Its own connection now: nobody reads the other one's.
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    reads(leader, FIRST + SECOND)
    finish(model)
    document = until_billed(client, id_)
    for page in (leader, follower):
        until_complete(page)
        assert_reads(page, document)
        assert_applied(page, system, id_)


def test_an_open_page_outlives_a_restart_of_the_bus(
    visitor: Visitor, system: System, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.forgive(AWAY, "status of 503")
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, FIRST)
    system.kill("nats-server")
    model.says("part-1", SECOND)
    reads(page, FIRST + SECOND)
    model.says("part-1", THIRD)
    reads(page, FIRST + SECOND + THIRD)
    finish(model)
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))


def test_what_is_typed_while_the_gateway_is_away_is_kept_and_saved_later(
    visitor: Visitor, system: System, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.forgive(AWAY, "status of 50")
    kept = Kept(visitor, client, model)
    page = kept.page
    page.get_by_label(words("page.keepOn")).check()
    until(lambda: in_the_log(client, kept.id).policy.on_last_viewer_left == "continue")
    finish(model)
    until_complete(page)
    box = editing(page, "Summary")
    box.fill("Typed while nobody listens.")
    said = len(system.lines)
    system.kill("gateway")
    button(page, words("edit.save")).click()
    expect(page.get_by_role("alertdialog")).to_be_visible()  # It did not work, and says so.
    expect(box).to_have_value("Typed while nobody listens.")
    system.until_said("gateway listening", after=said)
    button(page, words("edit.save")).click()
    expect(section(page, "Summary").get_by_text("Typed while nobody listens.")).to_be_visible()
    until(lambda: in_the_log(client, kept.id).cells["summary"].locked)


def test_keep_running_if_i_leave_really_does_and_is_remembered(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    kept = Kept(visitor, client, model)
    kept.page.get_by_label(words("page.keepOn")).check()
    until(lambda: in_the_log(client, kept.id).policy.on_last_viewer_left == "continue")
    kept.page.close()
    model.says("part-1", SECOND)
    page = visitor.open(f"/d/{kept.id}")
    reads(page, FIRST + SECOND)
    expect(page.get_by_label(words("page.keepOn"))).to_be_checked()
    page.close()
    finish(model)
    until(lambda: isinstance(in_the_log(client, kept.id).run, Done))


def test_the_maker_leaves_a_second_reader_stays_and_the_last_one_stops_it(
    visitor: Visitor, another: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    kept = Kept(visitor, client, model)
    page = another.open(f"/d/{kept.id}")
    reads(page, FIRST)
    kept.page.close()
    model.says("part-1", SECOND)
    reads(page, FIRST + SECOND)
    assert isinstance(in_the_log(client, kept.id).run, Running)
    page.close()
    until(lambda: isinstance(in_the_log(client, kept.id).run, Paused))
    run: Any = in_the_log(client, kept.id).run
    assert run.reason == "last_viewer_left"
    back = another.open(f"/d/{kept.id}")  # Who comes back goes on, by reading alone.
    reads(back, FIRST + SECOND)
    finish(model)
    until_complete(back)
    assert_reads(back, in_the_log(client, kept.id))


def test_a_reload_keeps_place_choice_and_panel(visitor: Visitor, client: httpx2.Client, model: DictatedModel) -> None:
    long = "\n\n".join(f"Paragraph {n} of many words, so that there is something to scroll." for n in range(30))
    for number in (1, 2, 3):
        model.answers(f"part-{number}", f'{FIRST} [[s1:{number} "Licen"]]\n\n{long}')
    id_ = dictated(client, sections(3, summary=False), policy=PATIENT)
    page = visitor.open(f"/d/{id_}")
    until_complete(page)
    chip = section(page, "Part 2").get_by_role("button", name=re.compile("LICENSE"))
    chip.click()
    passage = page.get_by_role("complementary").get_by_role("article").filter(has=page.locator("mark"))
    expect(passage).to_be_visible()
    page.get_by_role("tab", name=words("panels.history")).click()
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 333)
    page.wait_for_function("() => scrollY > 333")
    before = page.evaluate("() => scrollY")
    page.reload()
    until_complete(page)
    page.wait_for_function("(y) => Math.abs(scrollY - y) < 2", arg=before)
    expect(page.get_by_role("tab", name=words("panels.history"), selected=True)).to_be_visible()
    chosen = page.get_by_role("navigation", name=words("page.outline")).locator("[aria-current]")
    expect(chosen).to_contain_text("Part 2")
    page.get_by_role("tab", name=words("panels.evidence")).click()
    expect(passage).to_be_visible()


def test_a_hidden_tab_draws_nothing_and_is_right_when_it_is_shown(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, FIRST)
    seen = visitor.open(f"/d/{id_}")
    page.evaluate(SHOWN, False)
    model.says("part-1", SECOND, THIRD)
    reads(seen, FIRST + SECOND + THIRD)
    assert SECOND not in (section(page, "Part 1").text_content() or "")
    page.evaluate(SHOWN, True)
    reads(page, FIRST + SECOND + THIRD)
    finish(model)
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))
