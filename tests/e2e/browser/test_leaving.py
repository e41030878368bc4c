"""The default grace, with real browsers, two more gateways, and one evening on which five readers come and go.

No test waits for nothing to happen: the reader who leaves for good leaves last, and when the document is paused for that, all others
would have been.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from schemas.document import Document, Paused, Running
from schemas.events import AnyFact, AttemptCancelled, DocumentPaused, LastViewerLeft
from schemas.streams import LEASE_TTL_S
from schemas.values import Policy
from services.gateway.leases import RENEW_S
from tests.e2e.browser.reading import LICENSE, create, in_the_log, section, until
from tests.e2e.browser.tidying import maker, put_back
from tests.e2e.browser.visitor import Visitor
from tests.system import System, sections

GRACE_MS = Policy().grace_ms
SLOW = {"pace": "fixed", "first_token_ms": 50, "token_interval_ms": 3_000}
"""Nothing is over before the evening is."""


class Evening(NamedTuple):
    """What became of each reader's document, and of its calls, as the simulator has them."""

    documents: dict[str, Document]
    facts: dict[str, list[AnyFact]]
    calls: dict[str, list[dict[str, Any]]]
    killed_at_ms: float


class Readers:
    """Documents in the making, and who opens them."""

    def __init__(self, stack: ExitStack, system: System, client: httpx2.Client, visitor: Visitor) -> None:
        self._stack = stack
        self._client = client
        self.system = system
        self.visitor = visitor
        self.documents: dict[str, str] = {}

    def begin(self, reader: str, visitor: Visitor | None = None, home: str | None = None) -> Page:
        """A new document, open and being written."""
        source = {"name": "LICENSE", "text": LICENSE}
        self.documents[reader] = create(self._client, brief="Terms", sources=[source], outline=sections(3))
        return self.open(reader, visitor, home)

    def open(self, reader: str, visitor: Visitor | None = None, home: str | None = None) -> Page:
        """Return once words are on the page, and so its lease is held."""
        page = (visitor or self.visitor).open(f"/d/{self.documents[reader]}", home)
        see(page)
        return page

    def is_paused(self, reader: str) -> bool:
        return isinstance(in_the_log(self._client, self.documents[reader]).run, Paused)


def see(page: Page) -> None:
    """Wait for the first words."""
    words = section(page, "Part 1").get_by_role("paragraph").filter(has_text=re.compile(r"\w"))
    expect(words.first).to_be_visible()


@pytest.fixture(scope="module")
def evening(browser: Browser, system: System) -> Iterator[Evening]:
    """All of it at once, so that the grace is waited for once."""
    with ExitStack() as stack:
        stack.callback(put_back, system)
        client = stack.enter_context(maker(system))
        simulator = stack.enter_context(httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30))
        second, third = (stack.enter_context(system.another_gateway()) for _ in range(2))
        simulator.patch("/dials", json={"dials": SLOW}).raise_for_status()
        visitor, other = (Visitor(browser, system.gateway, second.address, third.address) for _ in range(2))
        stack.callback(visitor.close)
        stack.callback(other.close)
        other.forgive(r"net::ERR_")  # Its gateway is killed under it.
        readers = Readers(stack, system, client, visitor)

        reloading = readers.begin("reloads")
        first_tab = readers.begin("has a second tab")
        readers.open("has a second tab")
        here = readers.begin("is not the only one")
        readers.open("is not the only one", home=second.address)
        readers.begin("had a gateway", other, third.address)
        leaving = readers.begin("leaves")

        killed_at_ms = time.time() * 1_000
        third.process.kill()
        reloading.reload()
        see(reloading)
        first_tab.close()
        here.close()
        leaving.close()
        until(lambda: readers.is_paused("leaves"))
        until(lambda: readers.is_paused("had a gateway"))
        until(
            lambda: simulator.get("/record/open", params={"document": readers.documents["had a gateway"]}).json() == []
        )

        def log_of(document: str) -> list[AnyFact]:
            return asyncio.run(system.facts(document))

        with ThreadPoolExecutor(1) as apart:  # Playwright has a loop of its own in this thread.
            yield Evening(
                {reader: in_the_log(client, id_) for reader, id_ in readers.documents.items()},
                {reader: apart.submit(log_of, id_).result() for reader, id_ in readers.documents.items()},
                {
                    reader: simulator.get("/record", params={"document": id_}).json()
                    for reader, id_ in readers.documents.items()
                },
                killed_at_ms,
            )
        visitor.check()
        other.check()


@pytest.mark.parametrize("reader", ["reloads", "has a second tab", "is not the only one"])
def test_nothing_is_cancelled_for_a_reader_who(reader: str, evening: Evening) -> None:
    assert isinstance(evening.documents[reader].run, Running)
    assert not [fact for fact in evening.facts[reader] if isinstance(fact, DocumentPaused | AttemptCancelled)]
    assert {call["ended"] for call in evening.calls[reader]} == {"open"}


def test_who_watches_through_another_gateway_is_missed_by_nobody(evening: Evening) -> None:
    assert not [fact for fact in evening.facts["is not the only one"] if isinstance(fact, LastViewerLeft)]


def test_the_last_reader_who_leaves_is_waited_for_and_then_every_call_is_closed(evening: Evening) -> None:
    _assert_paused_after_its_grace("leaves", evening)


def test_a_killed_gateways_readers_are_gone_once_its_leases_run_out(evening: Evening) -> None:
    left_at_ms = _assert_paused_after_its_grace("had a gateway", evening)
    assert left_at_ms >= evening.killed_at_ms + (LEASE_TTL_S - RENEW_S) * 1_000 * 0.9


def _assert_paused_after_its_grace(reader: str, evening: Evening) -> int:
    facts = evening.facts[reader]
    left = [fact for fact in facts if isinstance(fact, LastViewerLeft)][-1]
    paused = next(fact for fact in facts if isinstance(fact, DocumentPaused))
    assert paused.reason == "last_viewer_left"
    assert left.pauses_at_ms == left.at_ms + int(GRACE_MS)
    assert paused.at_ms >= left.at_ms + int(GRACE_MS)
    assert [fact for fact in facts if isinstance(fact, AttemptCancelled)]
    assert evening.calls[reader]
    assert {call["ended"] for call in evening.calls[reader]} == {"client_gone"}
    assert all(call["gone_at_ms"] >= paused.at_ms - 1 for call in evening.calls[reader])
    return left.at_ms
