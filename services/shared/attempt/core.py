"""What to do next with a chaotic medium: `step(plan, state, event) -> (state, effects)`. Pure; all of this logic lives here.

One delivery of one job goes through: Fresh → Admitting → Claiming → Calling → Over, by way of Pausing and again Admitting where
a try failed, of Closing where sockets are still open, of Withdrawing where it was stopped while its claim was on its way. The
drawing is `docs/diagrams/attempt.md`, generated from this function. What it promises, whatever happens in whatever order:
- no call is started that the log does not have (`Claimed` comes before `StartCall`), and every one started is settled;
- after a stop or the deadline no call is started;
- it lets the job go exactly once, as its very last effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CellFailed,
    TextAppended,
)
from schemas.values import CallOutcome, ErrorKind
from services.shared.attempt.choose import Next, first_model, next_try
from services.shared.attempt.errors import ERRORS
from services.shared.attempt.repetition import LOOK_EVERY_CHARACTERS, repeats
from services.shared.attempt.states import (
    Admit,
    Admitted,
    Admitting,
    Append,
    AttemptEvent,
    AttemptState,
    Begin,
    Broken,
    Call,
    CallClosed,
    Calling,
    Claim,
    Claimed,
    Claiming,
    CloseCall,
    Closing,
    Conclude,
    Counted,
    DeadlinePassed,
    Effect,
    Ended,
    Ending,
    Fresh,
    GivenUp,
    HedgeDue,
    Ink,
    LetGo,
    Over,
    Pausing,
    Plan,
    Refused,
    Release,
    RetryDue,
    StartCall,
    StopAsked,
    Stopped,
    TextArrived,
    Tries,
    Troubled,
    WaitUntil,
    Whole,
    Withdraw,
    Withdrawing,
)
from services.shared.attempt.tally import characters_max, reserved, saved, settled
from services.shared.models.errors import kind_of_finish, trouble

Step = tuple[AttemptState, tuple[Effect, ...]]


def step(plan: Plan, state: AttemptState, event: AttemptEvent) -> Step:  # noqa: C901 -- one arm a state
    """The state after an event, and what is to be done, in this order. An event that means nothing here changes nothing."""
    match event:
        case StopAsked():
            return _stop(plan, state, event)
        case DeadlinePassed():
            message = ERRORS["deadline"].reads
            return _interrupt(plan, state, GivenUp(kind="deadline", message=message), event.at_ms)
        case _:
            pass
    match state:
        case Fresh():
            return _fresh(plan, state, event)
        case Admitting():
            return _admitting(plan, state, event)
        case Claiming():
            return _claiming(state, event)
        case Calling():
            return _calling(plan, state, event)
        case Withdrawing():
            return _withdrawing(plan, state, event)
        case Closing():
            return _closing(plan, state, event)
        case Pausing():
            return _pausing(state, event)
        case Over():
            return state, ()


# -- Where it stands ----------------------------------------------------------------------------------------------------


def _fresh(plan: Plan, state: Fresh, event: AttemptEvent) -> Step:
    if not isinstance(event, Begin):
        return state, ()
    if event.at_ms >= plan.deadline_ms:
        return step(plan, state, DeadlinePassed(at_ms=event.at_ms))
    return _admit(Tries(number=1, model=first_model(plan.chain, event.avoid)))


def _admit(tries: Tries) -> Step:
    return Admitting(tries), (Admit(tries.model),)


def _admitting(plan: Plan, state: Admitting, event: AttemptEvent) -> Step:
    if not isinstance(event, Admitted):
        return state, ()
    tries = state.tries
    attempt = attempt_number(plan.job, plan.delivery, tries.number)
    fact = AttemptStarted(
        at_ms=event.at_ms,
        cell=plan.cell,
        attempt=attempt,
        writer=plan.writer,
        model=tries.model,
        tokens_in_max=plan.tokens_in_max,
        tokens_out_max=plan.tokens_out_max,
        cost_max=reserved(plan, tries.model),
    )
    return Claiming(tries, attempt), (Claim(fact),)


def _claiming(state: Claiming, event: AttemptEvent) -> Step:
    match event:
        case Claimed():
            tries = state.tries
            call = Call(number=1, model=tries.model, started_ms=event.at_ms)
            start = StartCall(attempt=state.attempt, call=1, model=tries.model, repair=tries.repair)
            return Calling(tries=tries, attempt=state.attempt, calls=(call,)), (start,)
        case Refused():
            return Over(), (LetGo(event.release),)
        case _:
            return state, ()


def _pausing(state: Pausing, event: AttemptEvent) -> Step:
    return _admit(state.tries) if isinstance(event, RetryDue) else (state, ())


def _withdrawing(plan: Plan, state: Withdrawing, event: AttemptEvent) -> Step:
    match event:
        case Claimed():
            # It was reserved and never sent: settled at nothing.
            call = Call(number=1, model=state.tries.model, started_ms=event.at_ms)
            fact = settled(plan, state.attempt, call, "cancelled", event.at_ms, sent=False)
            after, effects = _ended(plan, state.tries, state.attempt, (), "", state.ending, event.at_ms)
            return after, (Append(fact), *effects)
        case Refused():
            return Over(), (LetGo(event.release),)
        case _:
            return state, ()


def _calling(plan: Plan, state: Calling, event: AttemptEvent) -> Step:
    match event:
        case TextArrived():
            return _text(plan, state, event)
        case Counted():
            calls = tuple(
                replace(call, usage=event.usage) if call.number == event.call else call for call in state.calls
            )
            return replace(state, calls=calls), ()
        case Ended():
            return _end_of_call(plan, state, event)
        case Troubled():
            return _trouble(plan, state, event)
        case CallClosed():
            # The loser of a race.
            call, others = _split(state.calls, event.call)
            if call is None:
                return state, ()
            fact = settled(plan, state.attempt, call, "lost_race", event.at_ms)
            return replace(state, calls=others), (Append(fact),)
        case HedgeDue():
            return _hedge(plan, state, event)
        case Claimed():
            return _hedge_claimed(plan, state, event)
        case Refused():
            return replace(state, hedging=None), ()
        case _:
            return state, ()


def _closing(plan: Plan, state: Closing, event: AttemptEvent) -> Step:
    match event:
        case CallClosed() | Ended() | Troubled():
            call, others = _split(state.calls, event.call)
            if call is None:
                return state, ()
            fact = settled(plan, state.attempt, call, _outcome(call, state.ending), event.at_ms)
            return _continued(plan, replace(state, calls=others), (Append(fact),), event.at_ms)
        case Counted():
            calls = tuple(
                replace(call, usage=event.usage) if call.number == event.call else call for call in state.calls
            )
            return replace(state, calls=calls), ()
        case Claimed() if state.hedging is not None:
            fact = settled(plan, state.attempt, state.hedging, "cancelled", event.at_ms, sent=False)
            return _continued(plan, replace(state, hedging=None), (Append(fact),), event.at_ms)
        case Refused() if state.hedging is not None:
            return _continued(plan, replace(state, hedging=None), (), event.at_ms)
        case _:
            return state, ()


def _continued(plan: Plan, state: Closing, effects: tuple[Effect, ...], at_ms: int) -> Step:
    """Once nothing is open and nothing is on its way, what was decided follows."""
    if state.calls or state.hedging is not None:
        return state, effects
    after, more = _ended(plan, state.tries, state.attempt, state.closed, state.text, state.ending, at_ms)
    return after, (*effects, *more)


# -- A call speaks, ends, fails -----------------------------------------------------------------------------------------


def _text(plan: Plan, state: Calling, event: TextArrived) -> Step:
    call, others = _split(state.calls, event.call)
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
        return _close(plan, after, _cut(plan, call, "too_long", event), event.at_ms, effects)
    if len(text) - state.looked >= LOOK_EVERY_CHARACTERS:
        if repeats(text):
            return _close(plan, after, _cut(plan, call, "repetition", event), event.at_ms, effects)
        after = replace(after, looked=len(text))
    return after, tuple(effects)


def _cut(plan: Plan, call: Call, cut: ErrorKind, event: TextArrived) -> Ending:
    """It would not halt by itself. Prose is kept as far as it goes; half an answer of a form is none."""
    if plan.structured is None:
        return Whole(call=call, cut=cut)
    message = ERRORS[cut].reads
    return Broken(trouble=Troubled(at_ms=event.at_ms, call=call.number, kind=plan.structured, message=message))


def _end_of_call(plan: Plan, state: Calling, event: Ended) -> Step:
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
        return _trouble(plan, state, failed)
    call, others = _split(state.calls, event.call)
    if call is None:
        return state, ()
    if call.lost:
        return replace(state, calls=others), (Append(settled(plan, state.attempt, call, "lost_race", event.at_ms)),)
    whole = Whole(call=call, cut=kind if plan.structured is None else None)
    after, effects = _close(plan, replace(state, calls=others), whole, event.at_ms)
    # The reader's text first, then the bill.
    fact = Append(settled(plan, state.attempt, call, "finished", event.at_ms))
    place = next((n for n, effect in enumerate(effects) if isinstance(effect, LetGo)), len(effects))
    return after, (*effects[:place], fact, *effects[place:])


def _trouble(plan: Plan, state: Calling, event: Troubled) -> Step:
    call, others = _split(state.calls, event.call)
    if call is None:
        return state, ()
    outcome: CallOutcome = "lost_race" if call.lost else "failed"
    bill = Append(settled(plan, state.attempt, call, outcome, event.at_ms, failed=event.kind))
    if call.lost or any(not other.lost for other in others):
        return replace(state, calls=others), (bill,)  # The race goes on without it.
    after, effects = _close(plan, replace(state, calls=others), Broken(trouble=event), event.at_ms)
    return after, (bill, *effects)


# -- A second call, when the first is slow to speak ---------------------------------------------------------------------


def _hedge(plan: Plan, state: Calling, event: HedgeDue) -> Step:
    if state.hedged or state.speaker is not None:
        return state, ()
    number = max(call.number for call in state.calls) + 1
    fact = CallReserved(
        at_ms=event.at_ms,
        cell=plan.cell,
        attempt=state.attempt,
        call=number,
        model=event.model,
        tokens_in_max=plan.tokens_in_max,
        tokens_out_max=plan.tokens_out_max,
        cost_max=reserved(plan, event.model),
    )
    waiting = Call(number=number, model=event.model, started_ms=event.at_ms)
    return replace(state, hedged=True, hedging=waiting), (Claim(fact),)


def _hedge_claimed(plan: Plan, state: Calling, event: Claimed) -> Step:
    if state.hedging is None:
        return state, ()
    call = replace(state.hedging, started_ms=event.at_ms)
    if state.speaker is not None:
        # The first one spoke while this was on its way: reserved, never sent.
        fact = settled(plan, state.attempt, call, "lost_race", event.at_ms, sent=False)
        return replace(state, hedging=None), (Append(fact),)
    start = StartCall(attempt=state.attempt, call=call.number, model=call.model, repair=state.tries.repair)
    return replace(state, hedging=None, calls=(*state.calls, call)), (start,)


# -- Endings ------------------------------------------------------------------------------------------------------------


def _stop(plan: Plan, state: AttemptState, event: StopAsked) -> Step:
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
    return _interrupt(plan, state, stopped, event.at_ms)


def _interrupt(plan: Plan, state: AttemptState, ending: Stopped | GivenUp, at_ms: int) -> Step:
    """From outside: whatever was going on ends like this."""
    match state:
        case Fresh():
            return _ended(plan, None, None, (), "", ending, at_ms)
        case Admitting(tries=tries):
            after, effects = _ended(plan, tries, None, (), "", ending, at_ms)
            return after, (Withdraw(), *effects)
        case Pausing(tries=tries):
            return _ended(plan, tries, None, (), "", ending, at_ms)
        case Claiming(tries=tries, attempt=attempt):
            return Withdrawing(tries, attempt, ending), ()
        case Calling():
            return _close(plan, state, ending, at_ms)
        case Closing(ending=Broken()):
            return replace(state, ending=ending), ()
        case Closing() | Withdrawing() | Over():
            return state, ()


def _close(plan: Plan, state: Calling, ending: Ending, at_ms: int, effects: Sequence[Effect] = ()) -> Step:
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
    return _continued(plan, after, (*effects, *(CloseCall(call.number) for call in closing)), at_ms)


def _ended(  # noqa: PLR0913, PLR0917 -- all of what is known at the end
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
            return Over(), (*_receipt(plan, tries, attempt, closed, ending, at_ms), LetGo(ending.release))
        case GivenUp(kind=kind, message=message):
            failed: tuple[Effect, ...] = ()
            if attempt is not None:
                model = "" if tries is None else tries.model
                failed = (
                    Append(
                        AttemptFailed(
                            at_ms=at_ms, cell=plan.cell, attempt=attempt, kind=kind, message=message, model=model
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
                return _ended(plan, tries, attempt, closed, text, given_up, at_ms)
            return _again(plan, attempt or 0, failure, following, at_ms)


def _receipt(  # noqa: PLR0913, PLR0917 -- likewise
    plan: Plan, tries: Tries | None, attempt: int | None, closed: tuple[Call, ...], ending: Stopped, at_ms: int
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
    )
    return (Append(receipt),)


def _again(plan: Plan, attempt: int, failure: Troubled, following: Next, at_ms: int) -> Step:
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
    )
    if due_ms <= at_ms:
        after, effects = _admit(tries)
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
        cut=whole.cut,
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


def _outcome(call: Call, ending: Ending) -> CallOutcome:
    if call.lost:
        return "lost_race"
    match ending:
        case Stopped():
            return "cancelled"
        case Whole():
            return "finished"
        case GivenUp() | Broken():
            return "failed"


def _split(calls: tuple[Call, ...], number: int) -> tuple[Call | None, tuple[Call, ...]]:
    """One of the open calls, and the others."""
    found = next((call for call in calls if call.number == number), None)
    return found, tuple(call for call in calls if call.number != number)
