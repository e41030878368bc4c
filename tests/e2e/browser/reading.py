"""The page as a reader has it: found by role and by its own words, never by how it is built."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from playwright.sync_api import Locator, Page, expect

from schemas.citations import MARKER
from schemas.document import Document, Done, decode
from tests.dictated import MODEL
from tests.wording import words

ROOT = Path(__file__).parents[3]
LICENSE = (ROOT / "LICENSE").read_text(encoding="utf-8")
PATIENCE_S = 60.0
PATIENT = {"model": MODEL, "grace_ms": 600_000}
"""Dictated, and never paused because a test took its time."""
COMPLETE: dict[str, Any] = {"run": {"type": "Done"}, "cells": {}, "outline": []}


def create(client: httpx2.Client, **body: Any) -> str:
    """Have a document written; its id."""
    response = client.post(
        "/api/documents", content=msgspec.json.encode(body), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == httpx2.codes.CREATED, response.text
    return response.json()["id"]


def dictated(client: httpx2.Client, outline: dict[str, Any], **more: Any) -> str:
    """A document that the dictated model writes from the licence."""
    body: dict[str, Any] = {"brief": "Terms", "sources": [{"name": "LICENSE", "text": LICENSE}], "policy": PATIENT}
    return create(client, **(body | {"outline": outline} | more))


def cookies_of(client: httpx2.Client) -> list[Any]:
    """The keys of all documents that it has made, for the browser of whoever made them."""
    jar: CookieJar = client.cookies.jar
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


def in_the_log(client: httpx2.Client, document: str) -> Document:
    """The document as the gateway has it."""
    return decode(client.get(f"/api/documents/{document}").raise_for_status().content)


def id_of(page: Page) -> str:
    """The document that is open."""
    page.wait_for_url(re.compile(r"/d/[0-9a-f]{32}"))
    return page.url.rstrip("/").rsplit("/", 1)[1]


def section(page: Page, heading: str) -> Locator:
    """A section of the document."""
    return page.get_by_role("main").get_by_role("region", name=heading, exact=True)


def button(page: Page, name: str) -> Locator:
    """One that is called so, and nothing else."""
    return page.get_by_role("button", name=name, exact=True)


def until_complete(page: Page) -> None:
    """Wait until the page says so."""
    expect(page.get_by_text(words("runState", COMPLETE, False), exact=True).first).to_be_visible()


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds; each asking is a round trip, so that nothing else is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"


def until_billed(client: httpx2.Client, document: str, lost: int = 0) -> Document:
    """Wait until it is written, and the bill of every call that was not `lost` is in its log: the last comes after the end."""

    def is_billed() -> bool:
        now = in_the_log(client, document)
        return isinstance(now.run, Done) and len(now.open_calls) <= lost

    until(is_billed)
    return in_the_log(client, document)


def letters(text: str) -> str:
    """Nothing but its letters: what Markdown, white space and citation numbers leave alone."""
    return re.sub(r"[^a-z]", "", text.casefold())


def assert_reads(page: Page, document: Document) -> None:
    """Every section of the page has the words that the log has, all of them, in their order."""
    assert document.outline
    for part in document.outline:
        completed = document.cells[part.id].completed
        assert completed is not None, part.heading
        shown = letters(section(page, part.heading).text_content() or "")
        assert letters(MARKER.sub("", completed.text)) in shown, part.heading
