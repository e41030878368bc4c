"""Stopped at whatever moment, every model connection closes, and none is opened again."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from schemas.document import Paused
from tests.stopping import How, calls_of, set_pace, stop
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
