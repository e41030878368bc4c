"""One running system for all end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tests.dictated import DictatedModel, dictated_model
from tests.e2e.systems import dictated_system
from tests.system import System


@pytest.fixture(scope="package")
def model() -> Iterator[DictatedModel]:
    """A model that says what the test dictates, for documents whose policy names it."""
    with dictated_model() as started:
        yield started


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory, model: DictatedModel) -> Iterator[System]:
    """For all modules that have none of their own, those with a browser too."""
    with dictated_system(tmp_path_factory.mktemp("up"), model) as started:
        yield started


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the gateway."""
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as http:
        yield http
