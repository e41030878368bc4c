"""Who may do what with a link: reading, changing, and how a key comes to a browser without ever standing in a request's address."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.owned import Owned, editing
from tests.e2e.browser.reading import button, section, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.system import System
from tests.wording import words

CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture
def owned(client: httpx2.Client, model: DictatedModel) -> Owned:
    """One for this test."""
    return Owned(client, model)


@pytest.fixture
def another(browser: Browser, system: System) -> Iterator[Visitor]:
    """Somebody else's browser."""
    visitor = Visitor(browser, system.gateway, viewport={"width": 1400, "height": 900})
    yield visitor
    visitor.close()
    visitor.check()


def copied(page: Page, what: str) -> str:
    """What the share menu puts on the clipboard."""
    page.context.grant_permissions(CLIPBOARD)
    page.evaluate("() => navigator.clipboard.writeText('')")
    button(page, words("page.shareHint")).click()
    button(page, words(what)).click()
    expect(page.get_by_text(words("take.copied"))).to_be_visible()
    link: str = page.evaluate("() => navigator.clipboard.readText()")
    expect(page.get_by_role("dialog", name=words("page.shareHint"))).to_be_hidden()
    return link


def test_a_link_for_reading_changes_nothing(visitor: Visitor, another: Visitor, owned: Owned) -> None:
    link = copied(owned.open(visitor), "take.link")
    assert link == f"{visitor.home}/d/{owned.id}"
    page = another.context.new_page()
    page.goto(link)
    until_complete(page)
    expect(page.get_by_text(words("page.reading"), exact=True)).to_be_visible()
    section(page, "Grant").hover()
    section(page, "Grant").focus()
    for key in ("e", "r", "."):
        page.keyboard.press(key)
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("toolbar")).to_have_count(0)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    for name in ("page.stop", "page.resume", "outline.addSource"):
        expect(button(page, words(name))).to_have_count(0)
    # Nor does the server, whatever the page shows.
    status = page.evaluate(
        "(path) => fetch(path, { method: 'POST' }).then((answer) => answer.status)", _path(owned, "/stop")
    )
    assert status == 401
    another.forgive("status of 401")


def test_a_link_for_editing_has_its_key_where_no_server_sees_it_and_nobody_finds_it_later(
    visitor: Visitor, another: Visitor, owned: Owned, client: httpx2.Client, system: System
) -> None:
    link = copied(owned.open(visitor), "take.editLink")
    address, _, key = link.partition("#key=")
    assert address == f"{visitor.home}/d/{owned.id}"
    assert len(key) >= 40
    assert key != owned.key
    page = another.context.new_page()
    page.goto(link)
    until_complete(page)
    expect(page.get_by_text(words("page.reading"), exact=True)).to_have_count(0)
    page.wait_for_url(address)  # It is gone from the address bar, and with it from what a reload would ask for.
    box = editing(page, "Summary")
    box.fill("By whoever was let in.")
    button(page, words("edit.save")).click()
    expect(section(page, "Summary").get_by_text("By whoever was let in.")).to_be_visible()

    told = [f"{request.url} {request.headers.get('referer', '')}" for request in another.requests]
    assert told
    assert not [line for line in told if key in line]
    assert not [line for line in system.lines if key in line]
    assert key not in page.evaluate(
        "() => document.cookie + JSON.stringify([{ ...localStorage }, { ...sessionStorage }])"
    )
    assert client.get(f"/d/{owned.id}").headers["referrer-policy"] == "no-referrer"
    page.goto(f"{another.home}/library")
    expect(page.get_by_role("link", name="Terms")).to_be_visible()
    page.go_back(wait_until="commit")
    page.wait_for_url(address, wait_until="commit")

    # The browser keeps it as a cookie, and shows the document in its library.
    page.goto(f"{another.home}/d/{owned.id}")
    until_complete(page)
    expect(page.get_by_text(words("page.reading"), exact=True)).to_have_count(0)
    page.goto(f"{another.home}/library")
    expect(page.get_by_role("link", name="Terms")).to_be_visible()

    owner = visitor.context.pages[0]
    button(owner, words("page.shareHint")).click()
    button(owner, words("take.takeBack")).click()
    expect(owner.get_by_text(words("take.takenBack"))).to_be_visible()
    another.forgive("status of 403")
    page.goto(link)
    expect(page.get_by_role("alert")).to_have_text(words("take.staleLink"))
    expect(page.get_by_text(words("page.reading"), exact=True)).to_be_visible()
    editing(owner, "Grant").fill("The owner's own key is still good.")
    button(owner, words("edit.save")).click()
    expect(section(owner, "Grant").get_by_text("still good")).to_be_visible()


def test_where_there_is_no_clipboard_the_link_is_shown(visitor: Visitor, owned: Owned) -> None:
    visitor.context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined });")
    page = owned.open(visitor)
    button(page, words("page.shareHint")).click()
    button(page, words("take.link")).click()
    expect(page.get_by_label(words("take.byHand"))).to_have_value(f"{visitor.home}/d/{owned.id}")


def _path(owned: Owned, more: str) -> str:
    return f"/api/documents/{owned.id}{more}"
