"""The rooms around a document: library, templates, settings, and the sheet of paper that it is printed on."""

from __future__ import annotations

import re

import httpx2
import pypdfium2
import pytest
from playwright.sync_api import Page, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.owned import OUTLINE, Owned
from tests.e2e.browser.reading import button, id_of, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.system import System
from tests.wording import words


@pytest.fixture
def owned(client: httpx2.Client, model: DictatedModel) -> Owned:
    """One for this test."""
    return Owned(client, model)


def kept(visitor: Visitor, client: httpx2.Client) -> Page:
    """The library of the browser that made what this client made."""
    visitor.context.add_cookies(
        [
            {
                "name": one.name,
                "value": one.value or "",
                "domain": one.domain,
                "path": one.path,
                "httpOnly": True,
                "sameSite": "Strict",
            }
            for one in client.cookies.jar
        ]
    )
    return visitor.open("/library")


def test_the_library_finds_renames_copies_and_deletes(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel, owned: Owned
) -> None:
    del owned
    model.answers("grant", "Once more.")
    page = kept(visitor, client)
    mine = page.get_by_role("link", name="Terms")
    expect(mine).to_have_count(1)
    button(page, words("library.renameOf", "Terms")).click()
    title = page.get_by_role("textbox", name=words("library.titleOf", "Terms"))
    title.fill("Terms of use")
    title.press("Enter")
    expect(page.get_by_role("link", name="Terms of use")).to_be_visible()

    search = page.get_by_role("searchbox", name=words("library.search"))
    search.fill("nothing like it")
    expect(page.get_by_text(words("library.noneFound"))).to_be_visible()
    search.fill("terms")
    expect(page.get_by_role("link", name="Terms of use")).to_be_visible()

    button(page, words("library.duplicateOf", "Terms of use")).click()
    copy = id_of(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Terms of use")
    page.goto(f"{visitor.home}/library")
    expect(page.get_by_role("link", name="Terms of use")).to_have_count(2)
    first = page.get_by_role("listitem").filter(has=page.locator(f"a[href='/d/{copy}']"))
    first.get_by_role("button", name=words("library.deleteOf", "Terms of use")).click()
    first.get_by_role("button", name=words("library.really")).click()  # A second word, at the same place.
    expect(page.get_by_role("link", name="Terms of use")).to_have_count(1)
    visitor.forgive("status of 404")
    page.goto(f"{visitor.home}/d/{copy}")
    expect(page.get_by_text(words("page.gone"))).to_be_visible()


def test_an_outline_is_kept_as_a_template_and_used(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    button(page, words("page.shareHint")).click()
    button(page, words("take.keep")).click()
    expect(page.get_by_text(words("take.kept"))).to_be_visible()
    page.goto(visitor.home)
    page.get_by_label(words("first.brief")).fill("The same for another licence")
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_label(words("first.template")).select_option(label="Terms")
    headings = [str(section["heading"]) for section in OUTLINE["sections"]]
    expect(page.get_by_text(words("first.ofTemplate", headings))).to_be_visible()
    button(page, words("first.planFirst")).click()
    plan = page.get_by_role("region", name=words("plan.title"))
    for at, heading in enumerate(headings):
        expect(plan.get_by_role("textbox", name=words("plan.heading")).nth(at)).to_have_value(heading)
    expect(plan.get_by_label(words("plan.sumsUp")).last).to_be_checked()


def test_settings_show_models_prices_and_limits_and_no_key(
    visitor: Visitor, client: httpx2.Client, system: System
) -> None:
    page = visitor.open("/settings")
    for name in ("dictated/words", "simulator/scribe"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text(words("settings.noPrice")).first).to_be_visible()
    for name, limit in client.get("/api/models").json()["limits"].items():
        expect(page.get_by_text(words("settings.limit", name.removesuffix("_ms")), exact=True)).to_be_visible()
        assert limit is not None
    secret = system.environment("gateway")["SCRIPTORIUM_BUS__PASSWORD"]
    assert secret not in page.content() + client.get("/api/models").text


def test_a_printed_document_has_headings_text_and_numbered_sources_and_no_button(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel, owned: Owned
) -> None:
    del client
    model.forget()
    owned.put("grant", 'Anybody may use the work [[s1:1 "Apache License"]].')
    model.answers("sum", "In short: use it.")
    page = owned.open(visitor)
    expect(page.get_by_role("button", name=re.compile("LICENSE")).first).to_be_visible()
    until_complete(page)
    # Loaded when the text is there, and to be seen on paper only.
    listed = page.get_by_role("main").get_by_role("heading", name=words("printed.sources"), include_hidden=True)
    expect(listed).to_be_attached()
    with pypdfium2.PdfDocument(page.pdf(format="A4")) as pdf:
        text = "\n".join(sheet.get_textpage().get_text_range() for sheet in pdf)
    for said in ("Terms", "Grant", "Summary", "Anybody may use the work", words("printed.sources")):
        assert said in text, text
    assert re.search(r"1\.\s*LICENSE, " + words("evidence.passage", 1), text), text
    for control in ("page.share", "page.stop", "page.controlRoom", "tools.edit", "outline.addSource", "panels.history"):
        assert words(control) not in text, text
