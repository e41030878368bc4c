"""Every row of the table of vices, played: a real writer, a real bus, a real simulator, and calls counted at the far end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import pytest

from schemas import subjects
from schemas.events import AttemptFailed, CallSettled, CellCompleted, CellFailed, decode_ink
from schemas.values import Column, Policy, Section
from services.shared.bus import Bus, connect
from services.shared.provision import provision
from services.shared.settings import BusSettings
from tests.far import FAST, Far, far_of
from tests.integration.conftest import NatsServer
from tests.simulators import simulator
from tests.vices import FILE, ROWS, Row, told
from tests.writers import Desk, service

PROSE = Section(id="rooms", heading="The room", instructions="Say how books were copied, in three sentences.")
TABLE = Section(id="facts", heading="Facts", columns=(Column(id="ink", heading="Ink", instructions="Made of what?"),))
NOWHERE = "http://127.0.0.1:9/v1"


class Outcome(NamedTuple):
    """What came of a row."""

    facts: tuple[Any, ...]
    calls: tuple[str, ...]
    """The model of each call that reached the far end."""
    ink: dict[tuple[str, int], str]
    """By cell and attempt."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """All rows, played at the same time."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    try:
        with simulator() as model:
            yield asyncio.run(_played(server.url, model))
    finally:
        server.kill()


async def _played(nats: str, model: str) -> dict[str, Outcome]:
    providers = {"simulator": {"base_url": f"{model}/v1", "send_ids": True}, "nowhere": {"base_url": NOWHERE}}
    settings = {
        "SCRIPTORIUM_PROVIDERS": msgspec.json.encode(providers).decode(),
        "SCRIPTORIUM_MODELS__WRITE": '["simulator/next"]',
        "SCRIPTORIUM_LIMITS__FIRST_TOKEN_MS": "3000",
        "SCRIPTORIUM_LIMITS__BETWEEN_TOKENS_MS": "2000",
        "SCRIPTORIUM_WRITER__SLOTS": "100",
    }
    bus = await connect(BusSettings(url=nats), "operator")
    await provision(bus)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(far_of(model))
        await far.turn(**FAST)
        for row in ROWS:
            await far.turn(row.id, **row.dials)
        with service("writer", nats, model, settings):
            results = await asyncio.gather(*(_play(bus, far, row) for row in ROWS))
    await bus.close()
    return {row.id: outcome for row, outcome in zip(ROWS, results, strict=True)}


async def _play(bus: Bus, far: Far, row: Row) -> Outcome:
    desk = Desk(bus, uuid4().hex)
    ink: dict[tuple[str, int], str] = {}

    async def inked(message: Any) -> None:
        piece = decode_ink(message.data)
        key = (piece.cell, piece.attempt)
        so_far = ink.get(key, "")
        assert piece.offset == len(so_far)
        ink[key] = so_far + piece.text

    await bus.client.subscribe(subjects.live_ink(desk.id), cb=inked)
    sections = [msgspec.structs.replace(PROSE, id=f"{PROSE.id}-{n}") for n in range(row.cells)]
    outline = [TABLE] if row.table else [PROSE] if row.cells == 1 else sections
    await desk.create(*outline, policy=Policy(model=row.model.format(id=row.id), cache="off"))
    cells = [f"{TABLE.id}:s1:ink"] if row.table else [section.id for section in outline]
    for cell in cells:
        await desk.ask(cell)
    await desk.until(lambda d: len(d.heard(CellCompleted)) + len(d.heard(CellFailed)) == len(cells))
    calls = await far.until_closed(desk.id)
    await desk.until(lambda d: not _unsettled(d))
    await desk.close()
    return Outcome(tuple(desk.facts), tuple(call["model"] for call in calls), ink)


def _unsettled(desk: Desk) -> bool:
    begun = [fact for fact in desk.facts if type(fact).__name__ in {"AttemptStarted", "CallReserved"}]
    return len(begun) != len(desk.heard(CallSettled))


@pytest.mark.parametrize("row", [row for row in ROWS if row.cells == 1], ids=lambda row: row.id)
def test_a_vice_comes_to_what_the_table_says(row: Row, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[row.id]
    assert tuple(fact.kind for fact in outcome.of(AttemptFailed)) == row.tells
    assert [outcome.calls.count(model) for model in (row.id, "next")] == [row.first, row.next]
    (whole,) = outcomes["well"].of(CellCompleted)
    if row.text == "none":
        (failed,) = outcome.of(CellFailed)
        assert failed.kind == row.tells[-1]
        return
    (done,) = outcome.of(CellCompleted)
    assert done.cut == row.cut
    assert done.model == ("simulator/next" if row.next else f"simulator/{row.id}")
    if row.text == "whole":
        assert done.text == whole.text
    else:
        assert len(done.text) > len(whole.text)
    shown = [text for (_, attempt), text in outcome.ink.items() if attempt != done.attempt]
    assert any(shown) == row.shows
    assert all(whole.text.startswith(text) for text in shown)  # No try's text has anything of another's.
    assert outcome.ink["rooms", done.attempt] == done.text


@pytest.mark.parametrize("row", [row for row in ROWS if row.cells > 1], ids=lambda row: row.id)
def test_an_account_s_limits_delay_and_lose_nothing(row: Row, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[row.id]
    (whole,) = outcomes["well"].of(CellCompleted)
    assert [fact.text for fact in outcome.of(CellCompleted)] == [whole.text] * row.cells
    assert {fact.kind for fact in outcome.of(AttemptFailed)} <= set(row.tells)
    refused = len(outcome.of(AttemptFailed))
    assert len(outcome.calls) == row.cells + refused


def test_a_count_that_cannot_be_right_is_not_in_the_ledger(outcomes: dict[str, Outcome]) -> None:
    (right,), (wrong,) = (outcomes[row].of(CallSettled) for row in ("well", "wrong-usage"))
    assert right.exact
    assert not wrong.exact
    assert 0 < wrong.tokens_out <= 2 * right.tokens_out
    assert 0 < wrong.tokens_in <= 2 * right.tokens_in


def test_the_table_in_the_docs_is_the_one_that_is_played() -> None:
    assert FILE.read_text(encoding="utf-8") == told()
