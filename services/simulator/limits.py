"""An account's limits, as a provider keeps them: calls at a time, calls and tokens a minute. Pure; time is passed in."""

from __future__ import annotations

from typing import Final

from services.simulator.dials import Dials

MINUTE_MS: Final = 60_000.0


class Bucket:
    """A token bucket: holds so many seconds' worth of its rate and is full at first."""

    def __init__(self) -> None:
        self._used = 0.0
        self._at_ms = 0.0

    def wait_ms(self, amount: float, per_minute: int, window_s: float, at_ms: float) -> float:
        """How long until `amount` fits. An amount beyond all that it can hold fits when it is full."""
        self._used = max(0.0, self._used - (at_ms - self._at_ms) * per_minute / MINUTE_MS)
        self._at_ms = at_ms
        holds = per_minute * window_s * 1_000 / MINUTE_MS
        return max(0.0, self._used + min(amount, holds) - holds) * MINUTE_MS / per_minute

    def use(self, amount: float) -> None:
        """Take it out."""
        self._used += amount


class Account:
    """The use of one model."""

    def __init__(self) -> None:
        self.running = 0
        self._requests = Bucket()
        self._tokens = Bucket()

    def wait_ms(self, dials: Dials, tokens: int, at_ms: float) -> float | None:
        """Admit a call of so many tokens and return None; or refuse it and say when to try again, in ms."""
        waits = [0.0]
        if dials.requests_per_minute is not None:
            # A bucket that holds less than one call would refuse all of them for ever: `wait_ms` caps the amount.
            waits.append(self._requests.wait_ms(1, dials.requests_per_minute, dials.limit_window_s, at_ms))
        if dials.tokens_per_minute is not None:
            waits.append(self._tokens.wait_ms(tokens, dials.tokens_per_minute, dials.limit_window_s, at_ms))
        if dials.concurrent_max is not None and self.running >= dials.concurrent_max:
            return max(1_000.0, *waits)
        if max(waits) > 0:
            return max(waits)
        self._requests.use(1)
        self._tokens.use(tokens)
        return None
