"""What open calls say: text, an end, trouble; and the second call, when the first is slow to speak. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.events import (
    CallReserved,
    TextAppended,
)
from schemas.values import CallOutcome, ErrorKind
from services.shared.attempt.effects import (
    Append,
    Claim,
    CloseCall,
    Effect,
    Ink,
    LetGo,
    StartCall,
    Step,
)
from services.shared.attempt.endings import close, split
from services.shared.attempt.errors import ERRORS
from services.shared.attempt.events import (
    Claimed,
    Ended,
    HedgeDue,
    TextArrived,
    Troubled,
)
from services.shared.attempt.plan import Call, Plan
from services.shared.attempt.repetition import LOOK_EVERY_CHARACTERS, repeats
from services.shared.attempt.states import (
    Broken,
    Calling,
    Ending,
    Whole,
)
from services.shared.attempt.tally import characters_max, reserved, settled, tokens_in_max
from services.shared.models.errors import kind_of_finish, trouble


def text_arrived(plan: Plan, state: Calling, event: TextArrived) -> Step:
    """The first to speak wins; a text that would not halt is cut."""
    call, others = split(state.calls, event.call)
    if call is None or call.lost or not event.text:
        return state, ()
    effects: list[Effect] = []
    if state.speaker is None:
        # The first to speak wins.
        call = replace(call, first_token_ms=event.at_ms - call.started_ms)
        effects += [CloseCall(other.number) for other in others if not other.lost]
        others = tuple(replace(other, lost=True) for other in others)
    if plan.structured is None:
        ink = TextAppended(cell=plan.cell, attempt=state.attempt, offset=len(state.text), text=event.text)
        effects.append(Ink(ink))
    call = replace(call, characters=call.characters + len(event.text))
    text = state.text + event.text
    after = replace(state, calls=(call, *others), text=text, speaker=call.number)
    if len(text) > characters_max(plan):
        return close(plan, after, _cut(plan, call, "too_long", event), event.at_ms, effects)
    if len(text) - state.looked >= LOOK_EVERY_CHARACTERS:
        if repeats(text):
            return close(plan, after, _cut(plan, call, "repetition", event), event.at_ms, effects)
        after = replace(after, looked=len(text))
    return after, tuple(effects)


def _cut(plan: Plan, call: Call, cut: ErrorKind, event: TextArrived) -> Ending:
    """It would not halt by itself. Prose is kept as far as it goes; half an answer of a form is none."""
    if plan.structured is None:
        return Whole(call=call, cut=cut)
    message = ERRORS[cut].reads
    return Broken(trouble=Troubled(at_ms=event.at_ms, call=call.number, kind=plan.structured, message=message))


def end_of_call(plan: Plan, state: Calling, event: Ended) -> Step:
    """The answer is whole, unless there is something wrong with it."""
    problem, kind = event.problem, kind_of_finish(event.reason)
    if kind == "refused":
        message = trouble("refused").message
    elif problem is None and not state.text.strip():
        problem = message = "The answer was empty."
    else:
        message = problem or ""
    if kind == "refused" or problem is not None:
        failed = Troubled(
            at_ms=event.at_ms,
            call=event.call,
            kind="refused" if kind == "refused" else plan.structured or "bad_answer",
            message=message,
            jitter=event.jitter,
            avoid=event.avoid,
        )
        return troubled(plan, state, failed)
    call, others = split(state.calls, event.call)
    if call is None:
        return state, ()
    if call.lost:
        return replace(state, calls=others), (Append(settled(plan, state.attempt, call, "lost_race", event.at_ms)),)
    whole = Whole(call=call, cut=kind if plan.structured is None else None)
    after, effects = close(plan, replace(state, calls=others), whole, event.at_ms)
    # The reader's text first, then the bill.
    fact = Append(settled(plan, state.attempt, call, "finished", event.at_ms))
    place = next((n for n, effect in enumerate(effects) if isinstance(effect, LetGo)), len(effects))
    return after, (*effects[:place], fact, *effects[place:])


def troubled(plan: Plan, state: Calling, event: Troubled) -> Step:
    """The try has failed, unless another call is still in the race."""
    call, others = split(state.calls, event.call)
    if call is None:
        return state, ()
    outcome: CallOutcome = "lost_race" if call.lost else "failed"
    bill = Append(settled(plan, state.attempt, call, outcome, event.at_ms, failed=event.kind))
    if call.lost or any(not other.lost for other in others):
        return replace(state, calls=others), (bill,)  # The race goes on without it.
    after, effects = close(plan, replace(state, calls=others), Broken(trouble=event), event.at_ms)
    return after, (bill, *effects)


# -- A second call, when the first is slow to speak ---------------------------------------------------------------------


def hedge(plan: Plan, state: Calling, event: HedgeDue) -> Step:
    """Reserve a second call, once, while nobody has spoken."""
    if state.hedged or state.speaker is not None:
        return state, ()
    number = max(call.number for call in state.calls) + 1
    fact = CallReserved(
        at_ms=event.at_ms,
        cell=plan.cell,
        attempt=state.attempt,
        call=number,
        model=event.model,
        tokens_in_max=tokens_in_max(plan, state.tries.repair),
        tokens_out_max=plan.tokens_out_max,
        cost_max=reserved(plan, event.model, state.tries.repair),
    )
    waiting = Call(number=number, model=event.model, started_ms=event.at_ms)
    return replace(state, hedged=True, hedging=waiting), (Claim(fact),)


def hedge_claimed(plan: Plan, state: Calling, event: Claimed) -> Step:
    """Make it, unless it comes too late."""
    if state.hedging is None:
        return state, ()
    call = replace(state.hedging, started_ms=event.at_ms)
    if state.speaker is not None:
        # The first one spoke while this was on its way: reserved, never sent.
        fact = settled(plan, state.attempt, call, "lost_race", event.at_ms, sent=False)
        return replace(state, hedging=None), (Append(fact),)
    start = StartCall(attempt=state.attempt, call=call.number, model=call.model, repair=state.tries.repair)
    return replace(state, hedging=None, calls=(*state.calls, call)), (start,)
