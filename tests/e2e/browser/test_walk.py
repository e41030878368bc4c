"""One document as a reader lives with it, from the brief to the file that is taken away; and the first words of the demo."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from pathlib import Path

import httpx2
from playwright.sync_api import Page, expect

from schemas.document import Completed
from tests.dictated import MODEL, DictatedModel
from tests.e2e.browser.dropping import DROP
from tests.e2e.browser.owned import editing
from tests.e2e.browser.reading import (
    LICENSE,
    button,
    create,
    id_of,
    in_the_log,
    letters,
    section,
    until,
    until_complete,
)
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

NOTES = "The committee met on Friday. It chose the licence because it is short on obligations."
OUTLINE = "Summary\nGrant: what is granted\nDuties: what is asked\nGossip: leave it out"
GRANT = 'Anybody may use the work [[s1:1 "Apache License"]].'
DUTIES = "Keep the notices, and say what was changed."
ANEW = "Keep the notices, and say what was changed, and when."
BY_HAND = "Keep all notices. That is all."
SUMMARY = "Use it; keep the notices."
SLOW = {"pace": "fixed", "first_token_ms": 50, "token_interval_ms": 500}


def move(page: Page, name: str, times: int) -> None:
    for _ in range(times):
        button(page, name).click()


def test_from_a_brief_to_the_files_that_are_taken_away(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    page = visitor.open()
    _give_brief_and_sources(page)
    _look_the_plan_over(page, client)
    id_ = id_of(page)
    plan = in_the_log(client, id_)
    assert [part.heading for part in plan.outline] == ["Grant and patents", "Duties", "Summary"]
    grant, duties, summary = (part.id for part in plan.outline)
    assert set(plan.outline[2].depends_on) == {grant, duties}

    # Fill in, each section by itself.
    model.says(grant, GRANT[:15])
    expect(section(page, "Grant and patents")).to_have_attribute("aria-busy", "true")
    expect(section(page, "Grant and patents").get_by_text(GRANT[:15].strip())).to_be_visible()
    model.answers(duties, DUTIES)
    expect(section(page, "Duties").get_by_text(DUTIES)).to_be_visible()
    model.answers(grant, GRANT[15:])
    model.answers(summary, SUMMARY)
    until_complete(page)

    _cite_both_ways(page)
    _edit_and_take_a_rewrite(page, client, model, id_)
    _stop_and_resume(page, model, summary)
    document = in_the_log(client, id_)
    assert all(isinstance(cell.state, Completed) for cell in document.cells.values())
    _take_away(page)


def _cite_both_ways(page: Page) -> None:
    section(page, "Grant and patents").get_by_role("button", name=re.compile("LICENSE.txt")).click()
    lit = page.get_by_role("complementary").get_by_role("article").filter(has=page.locator("mark"))
    expect(lit.locator("mark")).to_be_in_viewport()
    assert letters(lit.locator("mark").inner_text()) == letters("Apache License")
    lit.get_by_role("button", name=re.compile(r"\d")).first.click()
    lit.get_by_role("listitem").get_by_role("button").first.click()
    chips = page.get_by_role("main").get_by_role("button", name=re.compile("LICENSE.txt"))
    expect(chips.and_(page.locator(":focus"))).to_be_visible()


def _edit_and_take_a_rewrite(page: Page, client: httpx2.Client, model: DictatedModel, id_: str) -> None:
    """What a change touches is said first; a text by hand is locked, and a rewrite only offered."""
    _, duties, summary = (part.id for part in in_the_log(client, id_).outline)
    model.forget()
    box = editing(page, "Duties")
    box.fill(BY_HAND)
    button(page, words("edit.save")).click()
    preview = page.get_by_role("alertdialog", name=words("edit.text", "Duties"))
    expect(preview).to_contain_text(re.compile(r"1 section, ≈ .+, [≈<] .+s\b"))
    before = in_the_log(client, id_).cells[duties].completed
    assert before is not None
    assert before.text == DUTIES
    model.answers(summary, "Use it; that is all.")
    button(page, words("edit.update")).click()
    expect(section(page, "Duties").get_by_text(words("page.locked"))).to_be_visible()
    expect(section(page, "Summary").get_by_text("Use it; that is all.")).to_be_visible()
    until_complete(page)
    model.answers(duties, ANEW)
    section(page, "Duties").hover()
    section(page, "Duties").get_by_role("button", name=words("tools.rewrite"), exact=True).click()
    offer = page.get_by_role("group", name=words("edit.offer"))
    expect(offer.locator("ins").first).to_be_visible()
    expect(offer.locator("del").first).to_be_visible()
    model.forget()
    model.says(summary, "Use it; ")
    offer.get_by_role("button", name=words("edit.accept")).click()
    button(page, words("edit.update")).click()
    expect(section(page, "Duties").get_by_text(ANEW)).to_be_visible()


def _stop_and_resume(page: Page, model: DictatedModel, summary: str) -> None:
    """In the middle of the summary."""
    expect(section(page, "Summary")).to_have_attribute("aria-busy", "true")
    expect(section(page, "Summary").get_by_text("Use it;")).to_be_visible()
    button(page, words("page.stop")).click()
    expect(page.get_by_text(re.compile(r"1 call closed in .*s"))).to_be_visible()
    model.answers(summary, "keep the notices, and say what was changed.")
    button(page, words("page.resume")).click()
    expect(section(page, "Summary").get_by_text("say what was changed.")).to_be_visible()
    until_complete(page)


def _give_brief_and_sources(page: Page) -> None:
    page.get_by_label(words("first.brief")).fill("What this licence allows")
    page.get_by_role("group", name=words("first.sources")).evaluate(DROP, ["LICENSE.txt", LICENSE])
    expect(button(page, words("first.remove", "LICENSE.txt"))).to_be_visible()
    button(page, words("first.paste")).click()
    page.get_by_label(words("first.pasteName")).fill("Minutes")
    page.get_by_label(words("first.pasteText")).fill(NOTES)
    button(page, words("first.add")).click()
    expect(button(page, words("first.remove", "Minutes"))).to_be_visible()
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_role("textbox", name=words("first.outline")).fill(OUTLINE)
    page.get_by_label(words("first.sumUp")).uncheck()
    expect(
        page.get_by_role("status").filter(has_text=re.compile(r"About 4 sections, .* tokens?, .+, .*s"))
    ).to_be_visible()
    button(page, words("first.planFirst")).click()


def _look_the_plan_over(page: Page, client: httpx2.Client) -> None:
    """Nothing is written before Start, and what is shown there is what is written."""
    id_ = id_of(page)
    # The dictated model, and nobody's grace: the test takes its time.
    change = "([path, body]) => fetch(path, { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body })"
    page.evaluate(change, [f"/api/documents/{id_}", json.dumps({"policy": {"model": MODEL, "grace_ms": 600_000}})])
    until(lambda: in_the_log(client, id_).policy.model == MODEL)
    plan = page.get_by_role("region", name=words("plan.title"))
    headings = plan.get_by_role("textbox", name=words("plan.heading"))
    expect(headings).to_have_count(4)
    expect(plan.get_by_role("status")).to_have_text(re.compile(r"About 4 sections, .* tokens?, .+, .*s"))
    button(page, words("plan.remove", "Gossip")).click()
    move(page, words("plan.down", "Summary"), 2)
    headings.first.fill("Grant and patents")
    plan.get_by_label(words("plan.sumsUp")).last.check()
    expect(plan.get_by_role("status")).to_have_text(re.compile(r"About 3 sections, "))
    assert not in_the_log(client, id_).ledger.calls
    button(page, words("plan.start")).click()
    expect(section(page, "Grant and patents")).to_be_visible()


def _take_away(page: Page) -> None:
    """Each form is what it says, and has the words that were read."""
    for name, ending in (("md", "md"), ("html", "html"), ("docx", "docx"), ("json", "json")):
        button(page, words("page.shareHint")).click()
        with page.expect_download() as downloading:
            button(page, words(f"take.formats.{name}")).click()
        assert downloading.value.suggested_filename.endswith(f".{ending}")
        data = Path(downloading.value.path()).read_bytes()
        match name:
            case "md":
                assert data.decode().startswith("# ")
                assert ANEW in data.decode()
            case "html":
                assert data.decode().lower().startswith("<!doctype html>")
                assert ANEW in data.decode()
                assert "LICENSE.txt" in data.decode()
            case "docx":
                with zipfile.ZipFile(io.BytesIO(data)) as parts:
                    assert ANEW in parts.read("word/document.xml").decode()
            case _:
                assert json.loads(data)["run"]["type"] == "Done"


def test_the_demo_shows_its_outline_and_then_words_before_anything_is_done(
    visitor: Visitor, simulator: httpx2.Client
) -> None:
    simulator.patch("/dials", json={"dials": SLOW}).raise_for_status()  # Nothing is done before somebody has looked.
    page = visitor.open()
    demo = page.get_by_role("region", name=words("first.demo")).get_by_role("button").first
    expect(demo).to_be_visible()
    began_s = time.monotonic()
    demo.click()
    id_of(page)
    expect(page.get_by_role("main").get_by_role("region").first).to_be_visible()
    busy = (
        page.get_by_role("main").locator("[aria-busy=true]").get_by_role("paragraph").filter(has_text=re.compile(r"\w"))
    )
    expect(busy.first).to_be_visible()
    print(f"first words of the demo after {time.monotonic() - began_s:.2f} s")  # noqa: T201 -- for whoever runs it with -s


def test_who_only_reads_sees_the_plan_and_starts_nothing(visitor: Visitor, client: httpx2.Client) -> None:
    outline = {"sections": [{"id": "a", "heading": "Alpha"}]}
    id_ = create(client, brief="B", outline=outline, policy={"plan_first": True})
    page = visitor.open(f"/d/{id_}")
    plan = page.get_by_role("region", name=words("plan.title"))
    expect(plan.get_by_role("textbox", name=words("plan.heading"))).to_have_value("Alpha")
    expect(page.get_by_text(words("page.reading"), exact=True)).to_be_visible()
    page.keyboard.press(".")
    expect(button(page, words("plan.start"))).to_be_disabled()
    assert in_the_log(client, id_).ledger.calls == 0
