from __future__ import annotations

import pytest

from schemas.events import DocumentCreated, DocumentResumed
from schemas.values import Policy
from services.shared.log import ConflictError, append
from services.shared.opening import read_document
from tests.integration.conftest import BusFactory, NatsServer


async def test_a_fact_that_was_expected_elsewhere_is_refused_and_says_where_the_log_ends(bus: BusFactory) -> None:
    here = await bus("operator")
    first = await append(here, "d", DocumentCreated(at_ms=1, title="t", brief="b", policy=Policy()), 0)
    with pytest.raises(ConflictError) as conflict:
        await append(here, "d", DocumentResumed(at_ms=2), 0)
    assert conflict.value.last == first


async def test_what_was_acknowledged_is_still_there_after_the_server_was_killed(
    bus: BusFactory, server: NatsServer
) -> None:
    here = await bus("operator")
    sequence = await append(here, "d", DocumentCreated(at_ms=1, title="t", brief="b", policy=Policy()), 0)
    server.kill()
    server.start()
    await append(here, "d", DocumentResumed(at_ms=2), sequence)
    document = await read_document(here, "d")
    assert document is not None
    assert document.sequence == sequence + 1
