"""Real Chromium on a real system: one browser for all, one system a module, a profile of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import ARGUMENTS, VARIABLE, found
from tests.dictated import DictatedModel, dictated_model
from tests.e2e.browser.states import DEAR
from tests.e2e.browser.visitor import Visitor
from tests.system import System, running

PATIENCE_MS = 60_000
QUICK = "[simulator.dials.default]\nfirst_token_ms = 50\nfirst_token_p99_ms = 200\ntoken_interval_ms = 2\ntoken_interval_p99_ms = 8\n"
"""No test waits for a model to think."""


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


@pytest.fixture(scope="module")
def model() -> Iterator[DictatedModel]:
    """A model that says what the test dictates, for documents whose policy names it."""
    with dictated_model() as started:
        yield started


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: DictatedModel) -> Iterator[System]:
    """`scriptorium up`, with the simulator, and the dictated model beside it."""
    folder = tmp_path_factory.mktemp("up")
    with running(folder / "data", "--writers", "2", "--config", str(model.config(folder, QUICK + DEAR))) as started:
        yield started


@pytest.fixture
def client(system: System) -> Iterator[httpx2.Client]:
    """An HTTP client of the gateway."""
    with httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as http:
        yield http


@pytest.fixture
def visitor(browser: Browser, system: System, model: DictatedModel) -> Iterator[Visitor]:
    """A fresh profile; afterwards, all that must never happen did not."""
    model.forget()
    visitor = Visitor(browser, system.gateway, viewport={"width": 1400, "height": 900})
    visitor.context.set_default_timeout(PATIENCE_MS)
    yield visitor
    visitor.close()
    visitor.check()
