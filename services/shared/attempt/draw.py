"""Draws `docs/diagrams/attempt.md` by walking through the core: every state it gets into, and what every event does there.

`python -m services.shared.attempt.draw` writes it, `--check` fails when the file is not what the core does now. Nothing in it is
told by hand: an arrow that is there was taken.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, get_args

from msgspec.structs import replace

from schemas.events import CellCompleted
from services.shared.attempt.core import step
from services.shared.attempt.effects import Append, Effect
from services.shared.attempt.events import (
    Admitted,
    AttemptEvent,
    Begin,
    CallClosed,
    Claimed,
    Counted,
    DeadlinePassed,
    Diverted,
    Ended,
    Found,
    HedgeDue,
    Refused,
    RetryDue,
    StopAsked,
    TextArrived,
    TooDear,
    Troubled,
)
from services.shared.attempt.plan import Plan, Usage
from services.shared.attempt.states import AttemptState, Calling, Closing, Fresh

FILE: Final = Path(__file__).parents[3] / "docs" / "diagrams" / "attempt.md"
STATES_MAX: Final = 20_000
NOW: Final = 1
PROSE: Final = Plan(
    cell="a",
    revision=1,
    job=1,
    delivery=1,
    writer="w",
    chain=("p/one", "p/two"),
    deadline_ms=1_000_000,
    tokens_in_max=100,
    tokens_out_max=100,
    tries_max=2,
)
FORMED: Final = replace(PROSE, structured="bad_answer")
CALLS: Final = (1, 2)
_FOUND: Final = CellCompleted(at_ms=NOW, cell="a", revision=1, attempt=1_001_001, text="t", output_digest="d")


def _of_call(call: int) -> tuple[AttemptEvent, ...]:
    return (
        TextArrived(at_ms=NOW, call=call, text="t"),
        TextArrived(at_ms=NOW, call=call, text="t" * 2_000),
        Counted(call=call, usage=Usage(1, 1)),
        Ended(at_ms=NOW, call=call, reason="stop"),
        Ended(at_ms=NOW, call=call, reason="stop", problem="it has not the form"),
        Ended(at_ms=NOW, call=call, reason="refusal"),
        Troubled(at_ms=NOW, call=call, kind="overloaded", message=""),
        Troubled(at_ms=NOW, call=call, kind="unauthorized", message=""),
        CallClosed(at_ms=NOW, call=call),
    )


EVENTS: Final[tuple[AttemptEvent, ...]] = (
    Begin(at_ms=NOW),
    Found(at_ms=NOW, fact=_FOUND),
    Admitted(at_ms=NOW),
    Diverted(at_ms=NOW, avoid=frozenset({"p/one"})),
    Claimed(at_ms=NOW),
    Refused(at_ms=NOW, release="leave"),
    TooDear(at_ms=NOW, whose="document", cost_max=1.0),
    TooDear(at_ms=NOW, whose="cell", cost_max=1.0),
    *(event for call in CALLS for event in _of_call(call)),
    RetryDue(at_ms=NOW),
    HedgeDue(at_ms=NOW, model="p/two"),
    StopAsked(at_ms=NOW, reason="stopped", asked_at_ms=NOW),
    StopAsked(at_ms=NOW, reason="writer_stopping", asked_at_ms=NOW),
    DeadlinePassed(at_ms=NOW),
)


class Arrow(NamedTuple):
    """Somewhere, something happens, and this is what it leads to."""

    before: str
    event: str
    after: str
    does: tuple[str, ...]


def arrows() -> list[Arrow]:
    """Every arrow that was taken, each once."""
    found: dict[Arrow, None] = {}
    for plan in (PROSE, FORMED):
        seen: set[AttemptState] = {Fresh()}
        to_do: deque[AttemptState] = deque(seen)
        while to_do:
            state = to_do.popleft()
            for event in EVENTS:
                if isinstance(event, TextArrived) and _has_said(state):
                    continue  # More text is more of the same.
                after, effects = step(plan, state, event)
                if after == state and not effects:
                    continue
                found[Arrow(_name(state), _name(event), _name(after), tuple(_does(effects)))] = None
                if after not in seen:
                    seen.add(after)
                    to_do.append(after)
            if len(seen) > STATES_MAX:
                msg = f"more than {STATES_MAX} states: a text or a time must be growing in them"
                raise RuntimeError(msg)
    return sorted(found, key=lambda arrow: (_order(arrow.before), arrow.event, _order(arrow.after), arrow.does))


def _has_said(state: AttemptState) -> bool:
    return isinstance(state, Calling | Closing) and bool(state.text)


def _name(thing: object) -> str:
    return type(thing).__name__


def _does(effects: Iterable[Effect]) -> Iterable[str]:
    for effect in effects:
        yield f"Append {_name(effect.fact)}" if isinstance(effect, Append) else _name(effect)


def _order(state: str) -> int:
    return [each.__name__ for each in get_args(AttemptState)].index(state)


def drawn() -> str:
    """The file's content."""
    taken = arrows()
    ways: dict[tuple[str, str], list[str]] = {}
    for arrow in taken:
        events = ways.setdefault((arrow.before, arrow.after), [])
        if arrow.event not in events:
            events.append(arrow.event)
    lines = [
        "# One delivery of one job",
        "",
        "Drawn by `python -m services.shared.attempt.draw` from the core itself (`services/shared/attempt/core.py`), by walking",
        "through it: every arrow here was taken, and `make check` fails when the core takes others. Events are what happens;",
        "states and effects are explained where they are defined, in `states.py`, `events.py` and `effects.py` beside it.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> Fresh",
        *(
            f"    {before} --> {after}: {', '.join(events)}"
            for (before, after), events in ways.items()
            if before != after
        ),
        "    Over --> [*]",
        "```",
        "",
        "## Every arrow, and what is done on it",
        "",
        "| in | when | then | what is done, in this order |",
        "|---|---|---|---|",
        *(f"| {a.before} | {a.event} | {a.after} | {' → '.join(a.does) or 'nothing'} |" for a in taken),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file, or check it."""
    content = drawn()
    if "--check" in sys.argv:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != content:
            sys.exit(f"{FILE.name} is not what the core does: python -m services.shared.attempt.draw")
        return
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
