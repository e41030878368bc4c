"""Leaving and coming back, many tabs, and a gateway that dies: what was said is read, once, by everybody."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import httpx2
from playwright.sync_api import Page, Request, expect

from schemas.cells import text_of
from tests.dictated import DictatedModel
from tests.e2e.browser.hearing import HEAR, until_heard
from tests.e2e.browser.logged import APPLY, assert_applied
from tests.e2e.browser.reading import assert_reads, dictated, in_the_log, section, until, until_billed, until_complete
from tests.e2e.browser.visitor import GATEWAY_AWAY, Visitor
from tests.system import System, sections
from tests.wording import words

TABS = 10
TIMES = 5
FIRST, SECOND, THIRD = "The first words stand here.", " Then come these.", " And these are the last."


def reads(page: Page, heading: str, text: str) -> None:
    """Wait until a section's text is this, from its first letter to its last."""
    expect(section(page, heading).get_by_role("paragraph").filter(has_text=FIRST[:9])).to_have_text(text)


def streams(client: httpx2.Client) -> int:
    """How many event streams the gateway has open."""
    found = re.search(r"^scriptorium_gateway_viewers (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def tell(client: httpx2.Client, model: DictatedModel, document: str, before: str, more: str) -> None:
    """Word by word: the next one once the one before has come as far as the gateway, so that each is an event of its own."""
    told = before
    for word in re.findall(r"\s*\S+", more):
        told += word
        model.says("part-1", word)
        until(lambda told=told: told == text_of(in_the_log(client, document).cells, "part-1"))


def _is_stream(request: Request) -> bool:
    return request.url.endswith("/events")


def test_sections_fill_in_beside_each_other(visitor: Visitor, client: httpx2.Client, model: DictatedModel) -> None:
    id_ = dictated(client, sections(4))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    model.says("part-3", FIRST)
    for heading in ("Part 1", "Part 3"):
        reads(page, heading, FIRST)
        expect(section(page, heading)).to_have_attribute("aria-busy", "true")
    expect(section(page, "Part 2")).to_have_attribute("aria-busy", "true")
    expect(section(page, "Part 2").get_by_role("paragraph")).to_have_count(0)
    waits = words("waitingFor", ["Part 1", "Part 2", "Part 3"])
    expect(section(page, "Summary").get_by_title(waits)).to_be_visible()
    model.ends("part-3")
    expect(section(page, "Part 3")).to_have_attribute("aria-busy", "false")
    expect(section(page, "Part 1")).to_have_attribute("aria-busy", "true")
    model.answers("part-2", FIRST, SECOND)
    model.ends("part-1")
    expect(section(page, "Summary")).to_have_attribute("aria-busy", "true")
    reads(page, "Part 2", FIRST + SECOND)
    model.answers("summary", FIRST)
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))


def test_a_reload_loses_nothing(visitor: Visitor, client: httpx2.Client, model: DictatedModel) -> None:
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, "Part 1", FIRST)
    page.reload()
    reads(page, "Part 1", FIRST)
    model.says("part-1", SECOND)
    page.reload()
    reads(page, "Part 1", FIRST + SECOND)
    model.ends("part-1")
    model.answers("summary", FIRST)
    until_complete(page)
    before = page.get_by_role("main").inner_text()
    page.reload()
    until_complete(page)
    assert page.get_by_role("main").inner_text() == before
    assert_reads(page, in_the_log(client, id_))


def test_back_and_forward_go_on_where_they_were(visitor: Visitor, client: httpx2.Client, model: DictatedModel) -> None:
    visitor.context.add_init_script(HEAR)
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, "Part 1", FIRST)
    for said in (FIRST + SECOND, FIRST + SECOND + THIRD):
        page.goto(visitor.home)  # By its address: this page is put aside whole, and its stream is closed.
        expect(page.get_by_label(words("first.brief"))).to_be_visible()
        until(lambda: streams(client) == 0)
        model.says("part-1", SECOND if said == FIRST + SECOND else THIRD)
        page.go_back(wait_until="commit")
        reads(page, "Part 1", said)
        assert page.evaluate("() => window.isPersisted.at(-1)") is True, "it was loaded anew: that proves nothing"
        page.go_forward(wait_until="commit")
        expect(page.get_by_label(words("first.brief"))).to_be_visible()
        page.go_back(wait_until="commit")
        reads(page, "Part 1", said)
    model.ends("part-1")
    model.answers("summary", FIRST)
    until_complete(page)
    assert_reads(page, in_the_log(client, id_))


def test_ten_tabs_share_one_stream_and_hand_it_over_without_a_gap(
    visitor: Visitor, system: System, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.context.add_init_script(APPLY)
    id_ = dictated(client, sections(2))
    asking: list[tuple[Page, Request]] = []

    def tab() -> Page:
        page = visitor.context.new_page()
        page.on("request", lambda request: asking.append((page, request)) if _is_stream(request) else None)
        page.goto(f"{visitor.home}/d/{id_}")
        return page

    tabs = [tab() for _ in range(TABS)]
    model.says("part-1", FIRST)
    for page in tabs:
        reads(page, "Part 1", FIRST)
    until(lambda: streams(client) == 1)  # Those of the tests before are on their way out.
    assert len(asking) == 1, "one tab leads, and no other has asked"
    said = FIRST
    for more in (SECOND, THIRD):
        leader = asking[-1][0]
        tabs.remove(leader)
        with ThreadPoolExecutor(1) as thread:
            telling = thread.submit(tell, client, model, id_, said, more * TIMES)
            leader.close()  # Whether it had the words of this moment already, it does not say any more.
            telling.result()
        said += more * TIMES
        for page in tabs:
            reads(page, "Part 1", said)
    assert len(asking) == 3
    assert len({page for page, _ in asking}) == 3
    assert all(request.headers.get("last-event-id") for _, request in asking[1:]), (
        "the next one goes on, it does not begin"
    )
    until(lambda: streams(client) == 1)
    assert len(asking) == 3
    model.ends("part-1")
    model.answers("summary", FIRST)
    document = until_billed(client, id_)
    for page in tabs:
        until_complete(page)
        assert_reads(page, document)
        assert_applied(page, system, id_)


def test_an_open_page_outlives_its_gateway(
    visitor: Visitor, system: System, client: httpx2.Client, model: DictatedModel
) -> None:
    visitor.context.add_init_script(HEAR)
    visitor.forgive(GATEWAY_AWAY)
    id_ = dictated(client, sections(2))
    page = visitor.open(f"/d/{id_}")
    model.says("part-1", FIRST)
    reads(page, "Part 1", FIRST)
    said = len(system.lines)
    system.kill("gateway")
    model.says("part-1", SECOND)
    until_heard(page, "Reconnecting")
    reads(page, "Part 1", FIRST + SECOND)
    until_heard(page, words("connection", {"type": "caught_up", "events": 1}, 0).split(",")[0])
    system.until_said("gateway listening", after=said)
    model.says("part-1", THIRD)
    model.ends("part-1")
    model.answers("summary", FIRST)
    until_complete(page)
    reads(page, "Part 1", FIRST + SECOND + THIRD)
    assert_reads(page, in_the_log(client, id_))
