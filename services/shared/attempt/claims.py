"""What a delivery writes into its document's log, and the ink beside it."""

from __future__ import annotations

import logging

from schemas import subjects
from schemas.events import AnyFact, AttemptStarted, CallReserved, TextAppended
from schemas.events import encode as encode_event
from services.shared.attempt.documents import Followed
from services.shared.attempt.events import Claimed, Refused, TooDear
from services.shared.attempt.look import Ask, has_budget, is_mine, look, may_hedge, short_of
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append
from services.shared.tail import epoch_of

log = logging.getLogger(__name__)


class Claims:
    """One delivery's pen."""

    def __init__(self, bus: Bus, followed: Followed, ask: Ask) -> None:
        self._bus = bus
        self._followed = followed
        self._ask = ask

    async def claim(self, fact: AttemptStarted | CallReserved) -> Claimed | Refused | TooDear:
        """Append it where the log ends, if what the log says up to there still wants it, and leaves the money for it."""
        followed, ask = self._followed, self._ask
        async with followed.turn:
            while True:
                document = followed.document
                if isinstance(fact, AttemptStarted) and is_mine(document, fact):
                    return Claimed(at_ms=now_ms())
                if isinstance(fact, AttemptStarted):
                    verdict = look(document, ask, fact.attempt)
                else:
                    verdict = "go" if may_hedge(document, ask, fact.attempt) else "ack"
                if document is None or verdict != "go":
                    return Refused(at_ms=now_ms(), release="leave" if verdict == "leave" else "ack")
                if document.sequence < followed.own and has_budget(document):
                    await followed.tail.reached(followed.own)  # What this process has reserved itself counts as well.
                    continue
                if (whose := short_of(document, fact)) is not None:
                    return TooDear(at_ms=now_ms(), whose=whose, cost_max=fact.cost_max)
                try:
                    followed.own = await append(
                        self._bus, ask.document, fact, expected=max(document.sequence, followed.own)
                    )
                except ConflictError as conflict:
                    followed.own = 0
                    await followed.tail.reached(conflict.last)
                except BusUnavailableError as error:
                    log.warning("claiming %s again: %s", ask.cell, error)
                else:
                    return Claimed(at_ms=now_ms())

    async def append(self, fact: AnyFact) -> None:
        """Append it wherever the log ends, however long the bus is away: what a call came to must not be lost."""
        while True:
            try:
                await append(self._bus, self._ask.document, fact)
            except BusUnavailableError as error:
                log.warning("appending again: %s", error)
            else:
                return

    async def publish(self, ink: TextAppended) -> None:
        """Text on its way. While the bus is away it is dropped: `Session.ink_again` sends it all."""
        if self._bus.lost_at_ms is None:
            await self._bus.client.publish(subjects.ink(self._ask.document), encode_event(ink))

    async def until_ink_is_kept(self) -> None:
        """The stream of ink is in memory: where the server was started anew it is made a moment later, and until then ink is lost."""
        await epoch_of(self._bus, subjects.INK)
