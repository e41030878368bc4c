"""Real Chromium on a real system: one browser and one system for all, a profile of its own for each test.

A module that changes how the system is, or that needs to be alone on it, has one of its own. On the one that is shared, no test leaves
anything to the next: no document, no dial, no call.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import ARGUMENTS, VARIABLE, found
from tests.dictated import DictatedModel
from tests.e2e.browser.tidying import delete, made_by, maker, put_back
from tests.e2e.browser.visitor import Visitor
from tests.system import System

PATIENCE_MS = 60_000


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """With its back-forward cache, which Playwright would turn off."""
    path = found()
    if path is None:
        pytest.fail(f"no Chromium: `python -m tests.browser` installs one, {VARIABLE} names one", pytrace=False)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(ARGUMENTS), ignore_default_args=["--disable-back-forward-cache"]
        )
        yield browser
        browser.close()


@pytest.fixture
def client(system: System) -> Iterator[httpx2.Client]:
    """An HTTP client of the gateway. What it made is deleted."""
    with maker(system) as http:
        yield http


@pytest.fixture
def simulator(system: System) -> Iterator[httpx2.Client]:
    """The simulator's dials and record; afterwards every dial is back."""
    with httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30) as http:
        yield http
        http.delete("/dials").raise_for_status()


@pytest.fixture
def visitor(browser: Browser, system: System, model: DictatedModel, client: httpx2.Client) -> Iterator[Visitor]:
    """A fresh profile; afterwards, all that must never happen did not, and the system is as it was."""
    del client  # What it made is deleted once no page looks at it any more.
    model.forget()
    visitor = Visitor(browser, system.gateway, viewport={"width": 1400, "height": 900})
    visitor.context.set_default_timeout(PATIENCE_MS)
    yield visitor
    made = made_by(visitor.context.cookies())
    visitor.close()
    visitor.check()
    delete(system, made)
    put_back(system)
