"""A document changed on its page: what each change costs is said first, and nothing that anybody typed is lost."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.reading import LICENSE, PATIENT, button, in_the_log, section, until, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

OUTLINE = {
    "sections": [
        {"id": "grant", "heading": "Grant", "instructions": "Say what is granted."},
        {"id": "sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["grant"]},
    ]
}
WRITTEN = "A licence is granted."
BY_HAND = "Use it as you like."


class Owned:
    """A finished document of two sections, and its key."""

    def __init__(self, client: httpx2.Client, model: DictatedModel) -> None:
        self.client = client
        model.answers("grant", WRITTEN)
        model.answers("sum", "In short: granted.")
        body = {
            "brief": "Terms",
            "outline": OUTLINE,
            "policy": PATIENT,
            "sources": [{"name": "LICENSE", "text": LICENSE}],
        }
        made = client.post(
            "/api/documents", content=msgspec.json.encode(body), headers={"Content-Type": "application/json"}
        ).json()
        self.id: str = made["id"]
        self.key: str = made["key"]

    def open(self, visitor: Visitor) -> Page:
        """The page, in a browser that has the key."""
        path = f"/api/documents/{self.id}"
        host = visitor.home.rsplit(":", 1)[0].removeprefix("http://")
        cookie: Any = {"name": "scriptorium-key", "value": self.key, "domain": host, "path": path}
        visitor.context.add_cookies([cookie])
        page = visitor.open(f"/d/{self.id}")
        until_complete(page)
        return page

    def put(self, cell: str, text: str) -> None:
        """Somebody else's change."""
        headers = {"Authorization": f"Bearer {self.key}", "Scriptorium-Who": "Ada"}
        self.client.put(
            f"/api/documents/{self.id}/cells/{cell}", json={"text": text}, headers=headers
        ).raise_for_status()


@pytest.fixture
def owned(client: httpx2.Client, model: DictatedModel) -> Owned:
    """One for this test."""
    return Owned(client, model)


def editing(page: Page, heading: str) -> Locator:
    """The box of a section that is edited by hand."""
    part = section(page, heading)
    part.hover()
    button(page, words("tools.edit")).and_(part.get_by_role("button")).click()
    return page.get_by_role("textbox", name=words("edit.text", heading))


def test_text_by_hand_is_previewed_and_locked_and_a_rewrite_is_offered_beside_it(
    visitor: Visitor, client: httpx2.Client, owned: Owned
) -> None:
    page = owned.open(visitor)
    box = editing(page, "Grant")
    expect(box).to_have_value(WRITTEN)
    box.fill(BY_HAND)
    button(page, words("edit.save")).click()
    # Before anything is spent: what it would come to. The summary is written from this section.
    expect(page.get_by_role("alertdialog", name=words("edit.text", "Grant"))).to_be_visible()
    before = in_the_log(client, owned.id).cells["grant"].completed
    assert before is not None
    assert before.text == WRITTEN
    button(page, words("edit.update")).click()
    expect(section(page, "Grant").get_by_text(BY_HAND)).to_be_visible()
    expect(section(page, "Grant").get_by_text(words("page.locked"))).to_be_visible()
    until_complete(page)

    section(page, "Grant").hover()
    button(page, words("tools.rewrite")).and_(section(page, "Grant").get_by_role("button")).click()
    offer = page.get_by_role("group", name=words("edit.offer"))
    expect(offer.locator("ins")).to_contain_text("granted")
    expect(offer.locator("del")).to_contain_text("Use it")
    kept = in_the_log(client, owned.id).cells["grant"]
    assert kept.completed is not None
    assert kept.completed.text == BY_HAND
    assert kept.offer is not None
    offer.get_by_role("button", name=words("edit.accept")).click()
    button(page, words("edit.update")).click()
    expect(section(page, "Grant").get_by_text(WRITTEN)).to_be_visible()
    until(lambda: not in_the_log(client, owned.id).cells["grant"].locked)


def test_who_was_second_loses_nothing(visitor: Visitor, client: httpx2.Client, owned: Owned) -> None:
    page = owned.open(visitor)
    visitor.forgive("412")
    box = editing(page, "Summary")
    box.fill("Mine.")
    owned.put("sum", "Hers.")
    button(page, words("edit.save")).click()
    expect(page.get_by_role("alertdialog")).to_contain_text("Ada")
    expect(box).to_have_value("Mine.")
    button(page, words("edit.mine")).click()
    expect(section(page, "Summary").get_by_text("Mine.")).to_be_visible()
    completed = in_the_log(client, owned.id).cells["sum"].completed
    assert completed is not None
    assert completed.text == "Mine."


def test_what_was_typed_outlives_a_reload(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    editing(page, "Summary").fill("Half a thought")
    page.reload()
    until_complete(page)
    expect(editing(page, "Summary")).to_have_value("Half a thought")


def test_the_palette_finds_a_section_and_does_what_it_is_told(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name=words("palette.title"))
    box.fill("summ")
    expect(page.get_by_role("option").first).to_contain_text("Summary")
    box.press("Enter")
    expect(section(page, "Summary")).to_be_focused()
    page.keyboard.press("Control+k")
    box.fill(words("panels.history"))
    box.press("Enter")
    expect(page.get_by_role("tab", name=words("panels.history"), selected=True)).to_be_visible()


def test_an_embedded_document_is_live_and_changes_nothing(
    visitor: Visitor, client: httpx2.Client, owned: Owned
) -> None:
    page = visitor.open(f"/embed/{owned.id}")
    expect(section(page, "Grant").get_by_text(WRITTEN)).to_be_visible()
    policy = client.get(f"/embed/{owned.id}").headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "frame-ancestors 'none'" in client.get(f"/d/{owned.id}").headers["content-security-policy"]
    section(page, "Grant").hover()
    section(page, "Grant").focus()
    page.keyboard.press("e")
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("toolbar")).to_have_count(0)
    owned.put("sum", "By somebody else.")
    expect(section(page, "Summary").get_by_text("By somebody else.")).to_be_visible()


def test_what_a_document_came_to_can_be_read(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    page.get_by_role("button", name="2/2 · ").click()
    ledger = page.get_by_role("dialog")
    for name in ("ledger.spent", "ledger.cached", "ledger.stopped", "ledger.lost"):
        expect(ledger.get_by_text(words(name))).to_be_visible()


def test_models_are_tested_by_one_click(visitor: Visitor, model: DictatedModel) -> None:
    model.answers("try", "ready")
    page = visitor.open("/settings")
    button(page, words("settings.testOf", "dictated/words")).click()
    expect(page.get_by_text(re.compile("“ready”"))).to_be_visible()
