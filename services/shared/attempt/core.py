"""What to do next with a chaotic medium: `step(plan, state, event) -> (state, effects)`. Pure.

The table of what happens where; `speaking.py` has what open calls say, `endings.py` how it all ends. One
delivery of one job goes through: Fresh → Admitting → Claiming → Calling → Over, by way of Pausing and again Admitting where a
try failed, of Closing where sockets are still open, of Withdrawing where it was stopped while its claim was on its way. The
drawing is `docs/diagrams/attempt.md`, generated from this function. What it promises, whatever happens in whatever order:
- no call is started that the log does not have (`Claimed` comes before `StartCall`), and every one started is settled;
- after a stop or the deadline no call is started, and none that a budget does not leave;
- it lets the job go exactly once, as its very last effect.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.events import AttemptStarted, CellDeferred
from services.shared.attempt.choose import elsewhere, first_model
from services.shared.attempt.effects import (
    Append,
    Claim,
    LetGo,
    StartCall,
    Step,
    Withdraw,
)
from services.shared.attempt.endings import admit, continued, ended, interrupt, outcome_of, split, stop
from services.shared.attempt.errors import ERRORS
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
from services.shared.attempt.plan import Call, Plan, Tries
from services.shared.attempt.speaking import end_of_call, hedge, hedge_claimed, text_arrived, troubled
from services.shared.attempt.states import (
    Admitting,
    AttemptState,
    Calling,
    Claiming,
    Closing,
    Fresh,
    GivenUp,
    Over,
    Pausing,
    Withdrawing,
)
from services.shared.attempt.tally import reserved, settled, tokens_in_max

CELL_BUDGET_MESSAGE = "What this part may cost is spent."


def step(plan: Plan, state: AttemptState, event: AttemptEvent) -> Step:  # noqa: C901 -- one arm a state
    """The state after an event, and what is to be done, in this order. An event that means nothing here changes nothing."""
    match event:
        case StopAsked():
            return stop(plan, state, event)
        case DeadlinePassed():
            message = ERRORS["deadline"].reads
            return interrupt(plan, state, GivenUp(kind="deadline", message=message), event.at_ms)
        case _:
            pass
    match state:
        case Fresh():
            return _fresh(plan, state, event)
        case Admitting():
            return _admitting(plan, state, event)
        case Claiming():
            return _claiming(plan, state, event)
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
    if isinstance(event, Found):
        return Over(), (Append(event.fact), LetGo("ack"))
    if not isinstance(event, Begin):
        return state, ()
    if event.at_ms >= plan.deadline_ms:
        return step(plan, state, DeadlinePassed(at_ms=event.at_ms))
    return admit(Tries(number=1, model=first_model(plan.chain, event.avoid)))


def _admitting(plan: Plan, state: Admitting, event: AttemptEvent) -> Step:
    tries = state.tries
    if isinstance(event, Diverted) and (other := elsewhere(plan, tries, event.avoid)) is not None:
        after, effects = admit(other)
        return after, (Withdraw(), *effects)
    if not isinstance(event, Admitted):
        return state, ()
    attempt = attempt_number(plan.job, plan.delivery, tries.number)
    fact = AttemptStarted(
        at_ms=event.at_ms,
        cell=plan.cell,
        attempt=attempt,
        writer=plan.writer,
        model=tries.model,
        tokens_in_max=tokens_in_max(plan, tries.repair),
        tokens_out_max=plan.tokens_out_max,
        cost_max=reserved(plan, tries.model, tries.repair),
        fell_back_from=plan.instead_of(tries.model),
        tries_max=plan.tries_max,
    )
    return Claiming(tries, attempt), (Claim(fact),)


def _claiming(plan: Plan, state: Claiming, event: AttemptEvent) -> Step:
    match event:
        case Claimed():
            tries = state.tries
            call = Call(number=1, model=tries.model, started_ms=event.at_ms)
            start = StartCall(attempt=state.attempt, call=1, model=tries.model, repair=tries.repair)
            return Calling(tries=tries, attempt=state.attempt, calls=(call,)), (start,)
        case Refused():
            return Over(), (LetGo(event.release),)
        case TooDear(whose="document"):
            fact = CellDeferred(at_ms=event.at_ms, cell=plan.cell, attempt=state.attempt, cost_needed=event.cost_max)
            return Over(), (Append(fact), LetGo("ack"))
        case TooDear():
            given_up = GivenUp(kind="budget", message=CELL_BUDGET_MESSAGE)
            return ended(plan, state.tries, None, (), "", given_up, event.at_ms)
        case _:
            return state, ()


def _pausing(state: Pausing, event: AttemptEvent) -> Step:
    return admit(state.tries) if isinstance(event, RetryDue) else (state, ())


def _withdrawing(plan: Plan, state: Withdrawing, event: AttemptEvent) -> Step:
    match event:
        case Claimed():
            # It was reserved and never sent: settled at nothing.
            call = Call(number=1, model=state.tries.model, started_ms=event.at_ms)
            fact = settled(plan, state.attempt, call, "cancelled", event.at_ms, sent=False)
            after, effects = ended(plan, state.tries, state.attempt, (), "", state.ending, event.at_ms)
            return after, (Append(fact), *effects)
        case Refused():
            return Over(), (LetGo(event.release),)
        case TooDear():
            return ended(plan, state.tries, None, (), "", state.ending, event.at_ms)
        case _:
            return state, ()


def _calling(plan: Plan, state: Calling, event: AttemptEvent) -> Step:
    match event:
        case TextArrived():
            return text_arrived(plan, state, event)
        case Counted():
            calls = tuple(
                replace(call, usage=event.usage) if call.number == event.call else call for call in state.calls
            )
            return replace(state, calls=calls), ()
        case Ended():
            return end_of_call(plan, state, event)
        case Troubled():
            return troubled(plan, state, event)
        case CallClosed():
            return _closed(plan, state, event)
        case HedgeDue():
            return hedge(plan, state, event)
        case Claimed():
            return hedge_claimed(plan, state, event)
        case Refused() | TooDear():
            return replace(state, hedging=None), ()
        case _:
            return state, ()


def _closed(plan: Plan, state: Calling, event: CallClosed) -> Step:
    call, others = split(state.calls, event.call)
    if call is None:
        return state, ()
    if not call.lost:  # Nobody told it to close, and it did not say why it did: nothing waits for it for ever.
        return troubled(plan, state, Troubled(at_ms=event.at_ms, call=event.call, kind="cut", message=""))
    fact = settled(plan, state.attempt, call, "lost_race", event.at_ms)
    return replace(state, calls=others), (Append(fact),)


def _closing(plan: Plan, state: Closing, event: AttemptEvent) -> Step:
    match event:
        case CallClosed() | Ended() | Troubled():
            call, others = split(state.calls, event.call)
            if call is None:
                return state, ()
            fact = settled(plan, state.attempt, call, outcome_of(call, state.ending), event.at_ms)
            return continued(plan, replace(state, calls=others), (Append(fact),), event.at_ms)
        case Counted():
            calls = tuple(
                replace(call, usage=event.usage) if call.number == event.call else call for call in state.calls
            )
            return replace(state, calls=calls), ()
        case Claimed() if state.hedging is not None:
            fact = settled(plan, state.attempt, state.hedging, "cancelled", event.at_ms, sent=False)
            return continued(plan, replace(state, hedging=None), (Append(fact),), event.at_ms)
        case Refused() | TooDear() if state.hedging is not None:
            return continued(plan, replace(state, hedging=None), (), event.at_ms)
        case _:
            return state, ()
