"""Cursors, frames, and what a hub still knows of the past."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.frames import FRAMES_BYTES_MAX, Cursor, Kept, Past, frame, parse_cursor


@given(st.builds(Cursor, st.integers(0, 2**60), st.integers(0, 10**12), st.integers(0, 10**12)))
def test_a_cursor_survives_its_spelling(cursor: Cursor) -> None:
    assert parse_cursor(str(cursor)) == cursor


@given(st.text())
def test_any_other_id_is_no_cursor_and_no_error(text: str) -> None:
    assert parse_cursor(text) is None or str(parse_cursor(text)) == text.casefold() or text[0] == "0"


def test_a_frame_is_one_event() -> None:
    assert frame("TextAppended", b'{"a":1}', Cursor(255, 3, 4)) == b'event: TextAppended\nid: ff-3-4\ndata: {"a":1}\n\n'


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=30), st.data())
def test_whoever_comes_back_gets_exactly_what_it_missed(steps: list[tuple[bool, int]], data: st.DataObject) -> None:
    past, facts, ink = Past(), 0, 0
    cursors = [Cursor(1, 0, 0)]
    kept: list[Kept] = []
    for is_ink, step in steps:
        facts, ink = (facts, ink + step) if is_ink else (facts + step, ink)
        kept.append(Kept(is_ink, ink if is_ink else facts, "E", b"%d" % len(kept)))
        past.add(kept[-1])
        cursors.append(Cursor(1, facts, ink))
    at = data.draw(st.integers(0, len(cursors) - 1))
    frames = past.after(cursors[at], cursors[-1])
    if frames is not None:
        assert [f.split(b"data: ")[1].strip() for f in frames] == [k.data for k in kept[at:]]
    assert past.after(cursors[-1], cursors[-1]) is not None


def test_a_cursor_of_another_epoch_or_from_before_what_is_kept_gets_a_snapshot() -> None:
    past = Past()
    big = b"x" * (FRAMES_BYTES_MAX // 2)
    for sequence in (1, 2, 3):
        past.add(Kept(False, sequence, "E", big))
    now = Cursor(1, 3, 0)
    assert past.after(Cursor(2, 3, 0), now) is None
    assert past.after(Cursor(1, 0, 0), now) is None
    assert past.after(Cursor(1, 4, 0), now) is None
    assert len(past.after(Cursor(1, 2, 0), now) or ()) == 1
