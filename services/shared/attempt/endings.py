"""How a delivery ends, from outside or by itself, and how the next try follows on a failed one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.events import (
    AttemptCancelled,
    AttemptFailed,
    CellFailed,
)
from schemas.values import CallOutcome
from services.shared.attempt.choose import Next, next_try
from services.shared.attempt.effects import (
    Admit,
    Append,
    CloseCall,
    Conclude,
    Effect,
    LetGo,
    Step,
    WaitUntil,
    Withdraw,
)
from services.shared.attempt.errors import ERRORS
from services.shared.attempt.events import (
    StopAsked,
    Troubled,
)
from services.shared.attempt.plan import Call, Plan, Release, Tries
from services.shared.attempt.states import (
    Admitting,
    AttemptState,
    Broken,
    Calling,
    Claiming,
    Closing,
    Ending,
    Fresh,
    GivenUp,
    Over,
    Pausing,
    Stopped,
    Whole,
    Withdrawing,
)
from services.shared.attempt.tally import saved, saved_cost, settled


def admit(tries: Tries) -> Step:
    """The next try, as soon as there is a place for it."""
    # A repair is an answer's fault, not a failure of the model: no budget of repeated calls pays for it.
    again = tries.model in tries.tried and tries.repair is None
    return Admitting(tries), (Admit(tries.model, again=again),)


def continued(plan: Plan, state: Closing, effects: tuple[Effect, ...], at_ms: int) -> Step:
    """Once nothing is open and nothing is on its way, what was decided follows."""
    if state.calls or state.hedging is not None:
        return state, effects
    after, more = ended(plan, state.tries, state.attempt, state.closed, state.text, state.ending, at_ms)
    return after, (*effects, *more)


def stop(plan: Plan, state: AttemptState, event: StopAsked) -> Step:
    """Why it is stopped says what becomes of its job."""
    match event.reason:
        case "stopped":
            release: Release = "ack"
        case "superseded":
            release = "leave" if event.outranked else "ack"
        case "writer_stopping":
            release = "nak"
        case "bus_lost":
            # Away for so long, it is being delivered again already: a nak now would have it written twice at once.
            release = "leave"
    stopped = Stopped(reason=event.reason, asked_at_ms=event.asked_at_ms, release=release)
    return interrupt(plan, state, stopped, event.at_ms)


def interrupt(plan: Plan, state: AttemptState, ending: Stopped | GivenUp, at_ms: int) -> Step:
    """From outside: whatever was going on ends like this."""
    match state:
        case Fresh():
            return ended(plan, None, None, (), "", ending, at_ms)
        case Admitting(tries=tries):
            after, effects = ended(plan, tries, None, (), "", ending, at_ms)
            return after, (Withdraw(), *effects)
        case Pausing(tries=tries):
            return ended(plan, tries, None, (), "", ending, at_ms)
        case Claiming(tries=tries, attempt=attempt):
            return Withdrawing(tries, attempt, ending), ()
        case Calling():
            return close(plan, state, ending, at_ms)
        case Closing(ending=Broken()):
            return replace(state, ending=ending), ()
        case Closing() | Withdrawing() | Over():
            return state, ()


def close(plan: Plan, state: Calling, ending: Ending, at_ms: int, effects: Sequence[Effect] = ()) -> Step:
    """Close what is open; what was decided follows once it is closed."""
    closing = tuple(call for call in state.calls if not call.lost)
    after = Closing(
        tries=state.tries,
        attempt=state.attempt,
        calls=state.calls,
        closed=closing,
        text=state.text,
        ending=ending,
        hedging=state.hedging,
    )
    return continued(plan, after, (*effects, *(CloseCall(call.number) for call in closing)), at_ms)


def ended(  # noqa: PLR0913, PLR0917 -- all of what is known at the end
    plan: Plan,
    tries: Tries | None,
    attempt: int | None,
    closed: tuple[Call, ...],
    text: str,
    ending: Ending,
    at_ms: int,
) -> Step:
    """Nothing is open. `attempt` is None between tries."""
    match ending:
        case Stopped():
            return Over(), (*_receipt(plan, tries, attempt, closed, text, ending, at_ms), LetGo(ending.release))
        case GivenUp(kind=kind, message=message):
            failed: tuple[Effect, ...] = ()
            if attempt is not None:
                model = "" if tries is None else tries.model
                failed = (
                    Append(
                        AttemptFailed(
                            at_ms=at_ms,
                            cell=plan.cell,
                            attempt=attempt,
                            kind=kind,
                            message=message,
                            model=model,
                            text=_shown(plan, text),
                        )
                    ),
                )
            return Over(), (*failed, Append(_cell_failed(plan, ending, at_ms)), LetGo("ack"))
        case Whole():
            return Over(), (_concluded(plan, attempt or 0, text, ending, at_ms), LetGo("ack"))
        case Broken(trouble=failure):
            following = None if tries is None or attempt is None else next_try(plan, tries, attempt, text, failure)
            if following is None:
                message = failure.message or ERRORS[failure.kind].reads
                given_up = GivenUp(kind=failure.kind, message=message)
                return ended(plan, tries, attempt, closed, text, given_up, at_ms)
            return _again(plan, attempt or 0, text, failure, following, at_ms)


def _receipt(  # noqa: PLR0913, PLR0917 -- likewise
    plan: Plan,
    tries: Tries | None,
    attempt: int | None,
    closed: tuple[Call, ...],
    text: str,
    ending: Stopped,
    at_ms: int,
) -> tuple[Effect, ...]:
    named = attempt if attempt is not None else None if tries is None else tries.failed
    if named is None:
        return ()  # Nothing was begun, so there is nothing to sign for.
    receipt = AttemptCancelled(
        at_ms=at_ms,
        cell=plan.cell,
        attempt=named,
        reason=ending.reason,
        asked_at_ms=ending.asked_at_ms,
        closed_at_ms=at_ms,
        calls_closed=len(closed),
        characters=sum(call.characters for call in closed),
        tokens_saved=saved(plan, closed),
        cost_saved=saved_cost(plan, closed),
        text=_shown(plan, text) if ending.reason == "stopped" else "",
    )
    return (Append(receipt),)


def _shown(plan: Plan, text: str) -> str:
    """What readers have seen of it: of a structured answer nothing."""
    return text if plan.structured is None else ""


def _again(  # noqa: PLR0913, PLR0917 -- likewise
    plan: Plan, attempt: int, text: str, failure: Troubled, following: Next, at_ms: int
) -> Step:
    tries, due_ms = following
    fact = AttemptFailed(
        at_ms=at_ms,
        cell=plan.cell,
        attempt=attempt,
        kind=failure.kind,
        message=failure.message or ERRORS[failure.kind].reads,
        model=tries.failed_model,
        retry_at_ms=max(due_ms, at_ms),
        next_model=tries.model,
        text=_shown(plan, text),
    )
    if due_ms <= at_ms:
        after, effects = admit(tries)
        return after, (Append(fact), *effects)
    return Pausing(tries, due_ms), (Append(fact), WaitUntil(due_ms))


def _concluded(plan: Plan, attempt: int, text: str, whole: Whole, at_ms: int) -> Conclude:
    call = whole.call
    bill = settled(plan, attempt, call, "finished", at_ms)
    return Conclude(
        at_ms=at_ms,
        attempt=attempt,
        text=text,
        model=call.model,
        fell_back_from=plan.instead_of(call.model),
        cut=whole.cut,
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
        cost=bill.cost,
        first_token_ms=call.first_token_ms,
        duration_ms=bill.duration_ms,
    )


def _cell_failed(plan: Plan, given_up: GivenUp, at_ms: int) -> CellFailed:
    return CellFailed(
        at_ms=at_ms,
        cell=plan.cell,
        revision=plan.revision,
        job=plan.job,
        kind=given_up.kind,
        message=given_up.message,
    )


def outcome_of(call: Call, ending: Ending) -> CallOutcome:
    """What is written on the bill of a call that was open when this ending was decided."""
    if call.lost:
        return "lost_race"
    match ending:
        case Stopped():
            return "cancelled"
        case Whole():
            return "finished"
        case GivenUp() | Broken():
            return "failed"


def split(calls: tuple[Call, ...], number: int) -> tuple[Call | None, tuple[Call, ...]]:
    """One of the open calls, and the others."""
    found = next((call for call in calls if call.number == number), None)
    return found, tuple(call for call in calls if call.number != number)
