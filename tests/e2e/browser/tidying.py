"""Leaving a system as it was found: what a test made is deleted, what it turned is turned back, and no call is left."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import httpx2

from tests.e2e.browser.reading import cookies_of, until
from tests.system import System

KEY = "scriptorium-key"
OF_A_DOCUMENT = "/api/documents/"


@contextlib.contextmanager
def maker(system: System) -> Generator[httpx2.Client]:
    """A client of the gateway, whose documents go with it."""
    with httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as http:
        try:
            yield http
        finally:
            delete(system, made_by(cookies_of(http)))


def made_by(cookies: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The key of each document that somebody with these cookies may change, by its path."""
    return {
        cookie["path"]: cookie["value"]
        for cookie in cookies
        if cookie["name"] == KEY and cookie["path"].startswith(OF_A_DOCUMENT)
    }


def delete(system: System, made: Mapping[str, str]) -> None:
    """For good, with every call that is still open."""
    if not made:
        return
    system.until_ready()  # A test may have struck it.
    with (
        httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as http,
        httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30) as simulator,
    ):
        for path, key in made.items():
            answer = http.delete(path, headers={"Authorization": f"Bearer {key}"})
            assert answer.is_success or answer.status_code == httpx2.codes.NOT_FOUND, (path, answer.text)
            calls = {"document": path.removeprefix(OF_A_DOCUMENT)}
            until(lambda calls=calls: simulator.get("/record/open", params=calls).json() == [])


def put_back(system: System) -> None:
    """Every dial is where it was."""
    system.until_ready()
    httpx2.delete(f"{system.simulator}/dials", trust_env=False).raise_for_status()
