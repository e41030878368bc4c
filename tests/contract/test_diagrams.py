"""What is drawn is what the code does."""

from __future__ import annotations

from typing import get_args

from services.shared.attempt.draw import EVENTS, FILE, arrows, drawn
from services.shared.attempt.events import AttemptEvent
from services.shared.attempt.states import AttemptState


def test_the_drawing_is_what_the_core_does_now() -> None:
    assert FILE.read_text(encoding="utf-8") == drawn()


def test_the_walk_tries_every_event_and_gets_into_every_state() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(AttemptEvent))
    reached = {"Fresh"} | {arrow.after for arrow in arrows()}
    assert reached == {state.__name__ for state in get_args(AttemptState)}


def test_no_arrow_leads_out_of_the_end_and_every_way_in_lets_the_job_go_last() -> None:
    taken = arrows()
    assert not [arrow for arrow in taken if arrow.before == "Over"]
    assert all((arrow.does[-1:] == ("LetGo",)) == (arrow.after == "Over") for arrow in taken)


def test_a_call_is_started_on_a_claim_and_on_nothing_else() -> None:
    starts = [arrow for arrow in arrows() if "StartCall" in arrow.does]
    assert starts
    assert {arrow.event for arrow in starts} == {"Claimed"}
