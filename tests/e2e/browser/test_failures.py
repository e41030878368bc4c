"""What a reader sees when something does not work: what it is, what is left, and what can be done; all of which works."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dictated import MODEL, DictatedModel
from tests.e2e.browser.hearing import HEAR
from tests.e2e.browser.reading import button, create, dictated, in_the_log, section, until
from tests.e2e.browser.states import Gallery
from tests.e2e.browser.visitor import Visitor
from tests.e2e.systems import dictated_system
from tests.system import System, sections
from tests.wording import words


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: DictatedModel) -> Iterator[System]:
    """One of its own: in the end all its models are busy."""
    with dictated_system(tmp_path_factory.mktemp("up"), model) as started:
        yield started


@pytest.fixture(scope="module")
def gallery(system: System, model: DictatedModel) -> Iterator[Gallery]:
    """Documents that went wrong."""
    with (
        httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as client,
        httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30) as simulator,
    ):
        yield Gallery(client, simulator, model)


def opened(visitor: Visitor, gallery: Gallery, state: str) -> Page:
    """Its document, in the browser that has the key."""
    id_ = gallery.document(state)
    visitor.context.add_cookies(gallery.cookies())
    page = visitor.open(f"/d/{id_}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def failure_of(page: Page, heading: str) -> Locator:
    """The box that says why a section was given up."""
    return section(page, heading).get_by_role("group").filter(has=page.get_by_role("button", name=words("edit.retry")))


def test_a_failed_section_is_tried_again_by_another_model_or_written_by_hand(
    visitor: Visitor, gallery: Gallery, model: DictatedModel, client: httpx2.Client
) -> None:
    page = opened(visitor, gallery, "failed")
    id_ = gallery.patient("failed")
    # Its partial text is still there, and so is the cause.
    expect(section(page, "What is granted").get_by_text("use, change and pass on")).to_be_visible()
    expect(failure_of(page, "What is granted")).to_contain_text(words("failure", "deadline"))
    expect(failure_of(page, "What is granted")).to_contain_text(words("keptText"))

    failed = failure_of(page, "Summary")
    failed.get_by_role("button", name=words("edit.byMyself")).click()
    page.get_by_role("textbox", name=words("edit.text", "Summary")).fill("I did it myself.")
    button(page, words("edit.save")).click()
    expect(section(page, "Summary").get_by_text("I did it myself.")).to_be_visible()
    until(lambda: in_the_log(client, id_).cells["failed-sum"].locked)

    model.answers("failed-1", "Written at the second go.")
    failure_of(page, "What is granted").get_by_role("button", name=words("edit.retry")).click()
    expect(section(page, "What is granted").get_by_text("Written at the second go.")).to_be_visible()

    failed = failure_of(page, "What is not")
    failed.get_by_role("button", name=words("edit.otherModel")).click()
    page.get_by_role("dialog", name=words("edit.otherModel")).get_by_role(
        "button", name="simulator/scribe", exact=True
    ).click()
    expect(section(page, "What is not").get_by_text("simulator/scribe · ")).to_be_visible()
    written = in_the_log(client, id_).cells["failed-3"].completed
    assert written is not None
    assert written.model == "simulator/scribe"


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("fell-back", [r"Fell back: simulator/dead ⇄ simulator/scribe"]),
        ("spent", [words("runState", {"run": {"type": "Paused", "reason": "budget_spent"}}, False)]),
        ("given-up", [r"time for this document is used up|deadline passed"]),
        ("no-plan", [words("runState", {"run": {"type": "Abandoned"}}, False), r"outline"]),
        ("unreadable", [words("evidence.failed").strip(), r"broken.pdf"]),
    ],
)
def test_it_is_said_what_went_wrong(state: str, says: list[str], visitor: Visitor, gallery: Gallery) -> None:
    page = opened(visitor, gallery, state)
    for pattern in says:
        expect(page.locator("body")).to_contain_text(re.compile(pattern, re.IGNORECASE))


def test_what_is_not_up_to_date_says_why_and_is_brought_up_to_date(
    visitor: Visitor, gallery: Gallery, model: DictatedModel, client: httpx2.Client
) -> None:
    page = opened(visitor, gallery, "stale")
    id_ = gallery.document("stale")
    part = section(page, "What is granted")
    expect(part).to_contain_text(re.compile(r"Not up to date: .*SECURITY\.md.* changed"))
    model.answers("stale-1", "As it is now.")
    part.get_by_role("button", name=words("edit.update"), exact=True).click()
    expect(part.get_by_text("As it is now.")).to_be_visible()
    expect(part).not_to_contain_text("Not up to date")
    assert in_the_log(client, id_).policy.model == MODEL


def test_a_refused_call_is_counted_down_to_its_next_try_and_then_written(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    """As long as the provider asked for: longer, and another model would be asked."""
    visitor.context.add_init_script(HEAR)
    model.refuses("summary", retry_after_s=3)
    model.answers("summary", "Written at the second try.")
    page = visitor.open(f"/d/{dictated(client, sections(2))}")
    part = section(page, "Summary")
    expect(part).to_be_visible()
    model.answers("part-1", "It begins.")
    expect(part.get_by_text("Written at the second try.")).to_be_visible()
    heard: list[str] = page.evaluate("() => window.heard")
    left_s = [int(found[1]) for said in heard if (found := re.fullmatch(r"Try 2/6 in (\d) s", said.strip()))]
    assert len(left_s) >= 2, heard
    assert left_s == sorted(left_s, reverse=True)
    assert left_s[0] <= 3
    expect(part).to_contain_text("2 attempts")


def test_a_try_that_is_due_says_which_of_how_many_and_when(
    visitor: Visitor, client: httpx2.Client, system: System
) -> None:
    """The last one here: all models are busy, and every process keeps away from them for as long as they have asked for."""
    busy = {"dials": {"error_429_seconds": 1, "retry_after_s": 60}}
    httpx2.patch(f"{system.simulator}/dials", json=busy, trust_env=False).raise_for_status()
    outline = {"sections": [{"id": "one", "heading": "Part one", "instructions": "Say it."}]}
    page = visitor.open(f"/d/{create(client, brief='B', outline=outline)}")
    part = section(page, "Part one")
    expect(part).to_contain_text(re.compile(r"Try [2-9]/\d(?: in \d+ s|, as soon as)"))
    expect(part).to_contain_text(words("failure", "rate_limited"))
    assert words("retryIn", 2, 4, 3_200) == "Try 2/4 in 4 s"
