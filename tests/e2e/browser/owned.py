"""A finished document, and whoever has its key."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
from playwright.sync_api import Locator, Page

from tests.dictated import DictatedModel
from tests.e2e.browser.reading import LICENSE, PATIENT, button, section, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

OUTLINE = {
    "sections": [
        {"id": "grant", "heading": "Grant", "instructions": "Say what is granted."},
        {"id": "sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["grant"]},
    ]
}
WRITTEN = "A licence is granted."


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
        give_key(visitor, self.id, self.key)
        page = visitor.open(f"/d/{self.id}")
        until_complete(page)
        return page

    def put(self, cell: str, text: str) -> None:
        """Somebody else's change."""
        headers = {"Authorization": f"Bearer {self.key}", "Scriptorium-Who": "Ada"}
        self.client.put(
            f"/api/documents/{self.id}/cells/{cell}", json={"text": text}, headers=headers
        ).raise_for_status()


def give_key(visitor: Visitor, document: str, key: str) -> None:
    """As the browser has it that made the document."""
    host = visitor.home.rsplit(":", 1)[0].removeprefix("http://")
    path = f"/api/documents/{document}"
    cookie: Any = {"name": "scriptorium-key", "value": key, "domain": host, "path": path}
    visitor.context.add_cookies([cookie])


def editing(page: Page, heading: str) -> Locator:
    """The box of a section that is edited by hand."""
    part = section(page, heading)
    part.hover()
    button(page, words("tools.edit")).and_(part.get_by_role("button")).click()
    return page.get_by_role("textbox", name=words("edit.text", heading))
