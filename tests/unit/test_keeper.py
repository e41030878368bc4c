"""The shell around the gate: it looks again whenever time alone changes something."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from services.shared.health.breaker import Open
from services.shared.health.gate import Gate
from services.shared.health.keeper import Gatekeeper, Place
from services.shared.health.model import new
from services.shared.health.policy import Policy

POLICY = Policy()
PATIENCE_S = 60
OPEN_UNTIL_MS = 100


class Asker:
    """Waits for a place; there is no other model, and nothing is silent."""

    def __init__(self) -> None:
        self.place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()

    def granted(self, place: Place) -> None:
        self.place.set_result(place)

    def diverted(self, place: Place) -> None:
        raise AssertionError(place)

    def given_up(self, place: Place) -> None:
        raise AssertionError(place)


class Clock(Gatekeeper):
    """A gatekeeper whose time goes on by a step each time that it looks."""

    def __init__(self, times: Iterator[int]) -> None:
        super().__init__(POLICY, {})
        self._times = times

    def now(self) -> int:
        return next(self._times)


@pytest.mark.parametrize("first_ms", range(OPEN_UNTIL_MS - 4, OPEN_UNTIL_MS + 1))
async def test_a_moment_that_comes_while_an_event_is_dealt_with_is_not_missed(first_ms: int) -> None:
    keeper, asker = Clock(itertools.count(first_ms)), Asker()
    broken = replace(new(POLICY, 0), breaker=Open(since_ms=0, until_ms=OPEN_UNTIL_MS))
    keeper.gate = Gate(models={"p/one": broken}, providers={})
    keeper.ask(asker, "p/one", lane="interactive", document="d", again=False)
    async with asyncio.timeout(PATIENCE_S):
        assert (await asker.place).model == "p/one"
    keeper.close()
