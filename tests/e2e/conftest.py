"""One running system for all end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tests.system import System, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`scriptorium up` with two writers."""
    with running(tmp_path_factory.mktemp("data"), "--writers", "2") as started:
        yield started


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the gateway."""
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as http:
        yield http
