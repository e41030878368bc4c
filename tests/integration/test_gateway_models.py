"""Which models are here, and whether they answer: a real gateway, a real provider, and one that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.dictated import MODEL, DictatedModel, dictated_model
from tests.integration.conftest import BusFactory
from tests.integration.gateways import gateway_process

KEY = "sk-never-to-be-seen"


@pytest.fixture
def model() -> Iterator[DictatedModel]:
    """A provider that answers."""
    with dictated_model() as started:
        yield started


@pytest.fixture
async def client(
    bus: BusFactory, nats_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: DictatedModel
) -> AsyncIterator[httpx2.AsyncClient]:
    """Of a gateway with that provider, and one that is not there."""
    await bus("gateway")
    monkeypatch.setenv("AWAY_KEY", KEY)
    config = model.config(tmp_path)
    away = '\n[providers.away]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "AWAY_KEY"\n'
    prices = f'\n[prices."{MODEL}"]\ninput = 0.5\noutput = 1.5\n'
    config.write_text(config.read_text(encoding="utf-8") + away + prices, encoding="utf-8")
    monkeypatch.setenv("SCRIPTORIUM_CONFIG", str(config))
    async with gateway_process(nats_server, tmp_path) as gateway:
        yield gateway.client


async def test_models_are_listed_with_prices_and_limits_and_no_key_is_told(client: httpx2.AsyncClient) -> None:
    response = (await client.get("/api/models")).raise_for_status()
    known = response.json()
    models = {model["name"]: model for model in known["models"]}
    assert models[MODEL]["price"] == {"input": 0.5, "output": 1.5}
    away = next(one for one in known["providers"] if one["name"] == "away")
    assert away["has_key"]
    assert away["key_env"] == "AWAY_KEY"
    assert away["trouble"]
    assert known["limits"]["first_token_ms"] > 0
    assert KEY not in response.text


async def test_a_model_that_is_not_there_says_so_in_plain_words(client: httpx2.AsyncClient) -> None:
    tried = (await client.post("/api/models/try", json={"model": "away/any"})).raise_for_status().json()
    assert not tried["ok"]
    assert tried["message"]
    assert KEY not in str(tried)


@pytest.mark.parametrize("wanted", ["nobody/any", "plain", ""])
async def test_a_name_that_is_none_is_refused_by_its_field(client: httpx2.AsyncClient, wanted: str) -> None:
    refused = await client.post("/api/models/try", json={"model": wanted})
    assert refused.status_code == httpx2.codes.UNPROCESSABLE_CONTENT
    assert "model" in str(refused.json()["errors"])


async def test_a_model_that_answers_is_asked_once_however_often_one_asks(
    client: httpx2.AsyncClient, model: DictatedModel
) -> None:
    async with asyncio.timeout(60):
        asks = {
            asyncio.create_task(client.post("/api/models/try", json={"model": MODEL}, timeout=60)) for _ in range(2)
        }
        refused, waiting = await asyncio.wait(asks, return_when=asyncio.FIRST_COMPLETED)
        assert [ask.result().status_code for ask in refused] == [httpx2.codes.TOO_MANY_REQUESTS]
        model.answers("try", "re", "ady")
        [answered] = await asyncio.gather(*waiting)
    tried = answered.raise_for_status().json()
    assert tried["ok"]
    assert tried["said"] == "ready"
    assert tried["first_token_ms"] is not None
