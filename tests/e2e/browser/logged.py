"""A document's events as the bus keeps them, and as a page applies them: each of them, in its order, and once."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from playwright.sync_api import Page

from schemas import subjects
from schemas.document import decode
from schemas.events import decode_ink
from schemas.fold import fold_ink
from services.shared.log import read
from tests.system import System

APPLY: Final = """
window.applied = [];
const parse = JSON.parse;
JSON.parse = (text, ...more) => {
  window.applied.push(text);
  return parse(text, ...more);
};
"""
"""A script for every page: an event is parsed when it is applied, and not before; so are the documents that a page begins with."""


def facts(system: System, document: str) -> dict[int, bytes]:
    """A document's log, byte for byte, by sequence."""
    return _stored(system, subjects.FACTS, subjects.facts_stored(document))


def inks(system: System, document: str) -> dict[int, bytes]:
    """The text on its way, likewise."""
    return _stored(system, subjects.INK, subjects.ink(document))


def assert_applied(page: Page, system: System, document: str) -> None:
    """From what it began with to the end of the log as it is now, this page has missed nothing and applied nothing twice."""
    log, text = facts(system, document), inks(system, document)
    page.wait_for_function("(last) => window.applied.includes(last)", arg=log[max(log)].decode())
    applied: list[str] = page.evaluate("() => window.applied")
    begun = max(n for n, parsed in enumerate(applied) if _is_document(parsed))
    base = decode(applied[begun].encode())
    wanted = {sequence: data for sequence, data in log.items() if sequence > base.sequence}
    wanted_text = {sequence: data for sequence, data in text.items() if fold_ink(base, decode_ink(data)) != base}
    for stored, whole in ((wanted, log), (wanted_text, text)):
        at = {data.decode(): sequence for sequence, data in whole.items()}
        assert len(at) == len(whole), "two that are the same cannot be told apart"
        assert [at[parsed] for parsed in applied[begun + 1 :] if parsed in at] == sorted(stored)


def _is_document(parsed: str) -> bool:
    found = json.loads(parsed)
    return isinstance(found, dict) and found.keys() >= {"sequence", "cells", "run"}


def _stored(system: System, stream: str, subject: str) -> dict[int, bytes]:
    async def stored() -> dict[int, bytes]:
        async with system.bus() as bus:
            return {one.sequence: one.data async for one in read(bus.client, stream, subject)}

    # Playwright has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, stored()).result()
