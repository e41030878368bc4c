from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.sse import Blocks, EventTooLongError, ServerSentEvent, event_of

STREAM = (
    b": hello\n\n"
    b'event: TextAppended\nid: 1a-7-9\ndata: {"text":"one\xe2\x80\xa8line\xc2\x85still"}\n\n'
    b"data:no space\r\ndata: second line\r\n\r\n"
    b"retry: 5\n\n"
    b"event: CaughtUp\rid: 1a-7-9\rdata: {}\r\r\n"
)
EVENTS = [
    ServerSentEvent("TextAppended", '{"text":"one\u2028line\u0085still"}'.encode(), "1a-7-9"),
    ServerSentEvent("message", b"no space\nsecond line", ""),
    ServerSentEvent("CaughtUp", b"{}", "1a-7-9"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_same_bytes_give_the_same_events_however_they_are_cut(cuts: list[int]) -> None:
    blocks = Blocks()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [event_of(block) for start, end in pairwise(edges) for block in blocks.feed(STREAM[start:end])]
    assert [event for event in found if event is not None] == EVENTS


def test_an_event_that_never_ends_is_an_error() -> None:
    blocks = Blocks(bytes_max=100)
    blocks.feed(b"data: " + b"x" * 200)
    with pytest.raises(EventTooLongError):
        blocks.feed(b"more")
