"""A control room that is too slow misses passing remarks, never a fact, and is told how many."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.outbox import BYTES_MAX, LOSSY_BYTES_MAX, Outbox


def _dropped(chunk: bytes) -> int:
    return sum(int(n) for n in re.findall(rb'"dropped":(\d+)', chunk))


def test_what_fits_is_told_in_order_and_nothing_is_said_to_be_missing() -> None:
    outbox = Outbox()
    outbox.put(b"a", is_fact=True)
    outbox.put(b"b", is_fact=False)
    assert outbox.take() == b"ab"
    assert not outbox
    assert outbox.take() == b""


def test_what_is_left_out_is_counted_once() -> None:
    outbox = Outbox()
    outbox.put(b"x" * LOSSY_BYTES_MAX, is_fact=False)
    for _ in range(3):
        outbox.put(b"y", is_fact=False)
    assert _dropped(outbox.take()) == 3
    outbox.put(b"z", is_fact=False)
    assert outbox.take() == b"z"


def test_a_control_room_that_is_too_far_behind_even_for_facts_is_over() -> None:
    outbox = Outbox()
    outbox.put(b"f" * BYTES_MAX, is_fact=True)
    assert not outbox.is_over
    outbox.put(b"f", is_fact=True)
    assert outbox.is_over


Puts = st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), max_size=60)


@given(Puts)
def test_no_fact_is_left_out_and_all_else_is_told_or_counted(puts: list[tuple[bool, int]]) -> None:
    outbox = Outbox()
    for number, (is_fact, size) in enumerate(puts):
        outbox.put(b"<%d:%b>" % (number, b"." * size), is_fact=is_fact)
    chunk = outbox.take()
    told = [int(n) for n in re.findall(rb"<(\d+):", chunk)]
    assert told == sorted(told)
    assert {n for n, (is_fact, _) in enumerate(puts) if is_fact} <= set(told)
    assert len(told) + _dropped(chunk) == len(puts)
