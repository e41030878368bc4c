"""Stopped at whatever moment, every model connection closes, and none is opened again."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from schemas.document import Cancelled, Completed, Paused
from schemas.events import AttemptStarted, CellStopped
from tests.stopping import How, calls_of, set_pace, stop, stop_cell
from tests.system import System

MOMENTS = (0, 1, 2, 5, 9, 12, 15, 20, 40, 90)
"""Events seen before the stop: from before the first job to the middle of the text."""


@pytest.mark.parametrize("how", ["leaving", "button"])
async def test_stopped_at_any_moment_no_call_is_left_and_none_is_begun_afterwards(
    system: System, client: httpx2.AsyncClient, how: How
) -> None:
    async with httpx2.AsyncClient(base_url=system.simulator, trust_env=False, timeout=30) as simulator:
        await set_pace(simulator, first_token_ms=100, token_interval_ms=200)  # No answer ends before its stop.
        stopped = [await stop(client, simulator, how, after) for after in MOMENTS]
        for one in stopped:
            assert isinstance(one.document.run, Paused)
            assert one.document.run.reason == ("last_viewer_left" if how == "leaving" else "stop_asked")
            assert {call.ended for call in one.calls} <= {"client_gone"}
            assert await calls_of(simulator, one.id) == one.calls
            assert len(one.calls) <= one.document.ledger.calls, "a call that the log does not know"
        assert any(one.calls for one in stopped), "nothing was running at any of these moments"
        opened = await simulator.get("/record/open")
        ours = {one.id for one in stopped}
        assert not [call for call in msgspec.json.decode(opened.content) if call["document"] in ours]


async def test_a_cell_that_is_stopped_loses_its_connection_and_all_others_are_written_to_their_end(
    system: System, client: httpx2.AsyncClient
) -> None:
    async with httpx2.AsyncClient(base_url=system.simulator, trust_env=False, timeout=30) as simulator:
        await set_pace(simulator, first_token_ms=100, token_interval_ms=20)
        one = await stop_cell(client, simulator, "part-1")
        cell = one.document.cells[one.cell]
        assert isinstance(cell.state, Cancelled)
        assert cell.state.closed_at_ms is not None
        assert cell.completed is None
        assert cell.ink is not None
        assert cell.ink.text, "its words are kept"
        (cut,) = [call for call in one.calls if call.cell == one.cell]
        assert cut.ended == "client_gone"
        others = [call for call in one.calls if call.cell != one.cell]
        written = [call.cell for call in others if call.ended == "finished"]
        assert sorted(written) == sorted({part.id for part in one.document.outline} - {one.cell})
        # A second call that was given up before it reached the far end is in the log alone.
        assert len(others) - len(written) <= one.document.ledger.calls_lost_race, "a hedge, where there was one"
        assert all(isinstance(cell.state, Completed) for id_, cell in one.document.cells.items() if id_ != one.cell)
        facts = await system.facts(one.id)
        after = facts[next(n for n, fact in enumerate(facts) if isinstance(fact, CellStopped)) :]
        assert not [fact for fact in after if isinstance(fact, AttemptStarted) and fact.cell == one.cell]
        assert await calls_of(simulator, one.id) == one.calls
