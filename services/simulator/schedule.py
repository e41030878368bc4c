"""What one call sends, and when: a pure function of seed, key, dials and answer.

`Random` is used only with a seed of its own for each question that is drawn, so that turning one dial does not change what
another one draws. Times are milliseconds since the request had been read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice
from random import Random
from typing import Final, Literal

import msgspec

from services.simulator.dials import LASTING, VICES, Dials, Vice

PIECE: Final = re.compile(r"\s?\S{1,5}|\s+")
"""A token: about four characters, cut where words are. Joined together they are the text again."""

Z_99: Final = 2.3263478740408408  # the standard normal distribution's 99th percentile
HEAD_SHARE: Final = 0.4  # the head of a response comes well before its first token
HOLLOW_SHARE: Final = 0.1
DRIP_FACTOR: Final = 12.0
BURST_TOKENS: Final = (5, 40)
REPEATED_TOKENS: Final = 24
ENDLESS_TOKENS_MAX: Final = 100_000
ERROR_AFTER_MS: Final = 30.0
REFUSAL: Final = "I'm sorry, but I can't help with that request."

EndReason = Literal["stop", "length", "refusal", "filtered"]
Usage = Literal["right", "absent", "zero", "tenfold"]
CutKind = Literal["clean", "hard", "json"]

WRONG_USAGES: Final[tuple[Usage, ...]] = ("absent", "zero", "tenfold")
CUTS: Final[dict[Vice | None, CutKind]] = {"cut_clean": "clean", "cut_hard": "hard", "cut_json": "json"}
IN_STREAM: Final[frozenset[Vice | None]] = frozenset({*CUTS, "error_in_stream", "stall", "stall_pings"})


class Step(msgspec.Struct, frozen=True):
    """Something that the service does `at_ms` after it had read the request."""

    at_ms: float


class Rejected(Step, frozen=True):
    """An error instead of a stream."""

    status: int
    retry_after: Literal["none", "seconds", "date"]
    retry_after_s: float
    message: str


class Opened(Step, frozen=True):
    """The head of the response, and the chunk that names the role."""


class Said(Step, frozen=True):
    """One token."""

    text: str


class Hollow(Step, frozen=True):
    """A chunk without text."""


class Pinged(Step, frozen=True):
    """A sign of life that says nothing."""


class Broke(Step, frozen=True):
    """An error where the next chunk should be."""


class Cut(Step, frozen=True):
    """The end, without saying that it is one."""

    how: CutKind


class Ended(Step, frozen=True):
    """A proper end; `doubled`: said twice."""

    reason: EndReason
    usage: Usage
    doubled: bool


AnyStep = Rejected | Opened | Said | Hollow | Pinged | Broke | Cut | Ended

REJECTIONS: Final[dict[Vice | None, tuple[int, Literal["none", "seconds", "date"], str]]] = {
    "error_429": (429, "none", "Rate limit reached for this model. Please slow down."),
    "error_429_seconds": (429, "seconds", "Rate limit reached for this model. Please try again later."),
    "error_429_date": (429, "date", "Rate limit reached for this model. Please try again later."),
    "error_500": (500, "none", "The server had an error while processing your request."),
    "error_502": (502, "none", "Bad gateway."),
    "error_503": (503, "none", "The engine is currently overloaded. Please try again later."),
    "error_529": (529, "none", "Overloaded"),
    "error_401": (401, "none", "Incorrect API key provided."),
    "error_context": (400, "none", "This model's maximum context length is 8192 tokens. Please reduce your messages."),
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """All that a schedule depends on. `key` names the request: its prompt's digest and which repeat of it this is."""

    seed: int
    key: str
    dials: Dials
    text: str
    structured: bool = False
    tokens_max: int | None = None


def pieces(text: str) -> list[str]:
    """Cut a text into tokens."""
    return PIECE.findall(text)


def vice_of(call: Call) -> Vice | None:
    """The vice that strikes this call, if any does."""
    possible: list[Vice] = [vice for vice in VICES if call.structured or vice != "malformed"]
    share = call.dials.faults / sum(vice not in LASTING for vice in possible)
    rates = [getattr(call.dials, vice) + (0.0 if vice in LASTING else share) for vice in possible]
    left = _random(call, "vice").random() * max(1.0, sum(rates))
    for vice, rate in zip(possible, rates, strict=True):
        left -= rate
        if left < 0:
            return vice
    return None


def schedule(call: Call) -> Iterator[AnyStep]:
    """The steps of one call, in order of time. The last one is Rejected, Broke, Cut or Ended."""
    dials, vice = call.dials, vice_of(call)
    if vice in REJECTIONS:
        status, retry_after, message = REJECTIONS[vice]
        yield Rejected(min(ERROR_AFTER_MS, dials.first_token_ms), status, retry_after, dials.retry_after_s, message)
        return

    random = _random(call, "pace")
    first_ms = _drawn_ms(random, dials, dials.first_token_ms, dials.first_token_p99_ms)
    yield Opened(first_ms * HEAD_SHARE)
    doubled = _happens(call, "duplicate_chunks", dials.duplicate_chunks)
    if doubled:
        yield Opened(first_ms * HEAD_SHARE)

    whole = pieces(call.text)
    allowed = whole if call.tokens_max is None else whole[: call.tokens_max]
    words, reason = _worded(call, vice, whole, allowed)
    if vice in IN_STREAM:
        words = islice(words, int(_strike_share(call) * len(allowed)))
    at_ms = first_ms
    for step in _told(call, _paced(call, random, first_ms, words), len(allowed)):
        at_ms = step.at_ms
        if vice == "endless" and at_ms > first_ms + dials.stall_max_ms:
            yield Cut(at_ms, "clean")
            return
        yield step
    if vice in IN_STREAM:
        yield from _struck(dials, vice, at_ms)
        return
    usage: Usage = "right"
    if _happens(call, "wrong_usage", dials.wrong_usage):
        usage = _random(call, "usage").choice(WRONG_USAGES)
    yield Ended(at_ms, reason, usage, doubled)


def _told(call: Call, paced: Iterable[tuple[float, str]], length: int) -> Iterator[Said | Hollow]:
    """The tokens, with the empty chunks between them and the one that is said twice."""
    stutters_at = -1
    if _happens(call, "doubled_text", call.dials.doubled_text):
        stutters_at = _random(call, "stutter").randrange(max(1, length))
    hollow = _random(call, "hollow") if _happens(call, "empty_chunks", call.dials.empty_chunks) else None
    for number, (at_ms, word) in enumerate(paced):
        if hollow is not None and hollow.random() < HOLLOW_SHARE:
            yield Hollow(at_ms)
        yield Said(at_ms, word)
        if number == stutters_at:
            yield Said(at_ms, word)


def _worded(call: Call, vice: Vice | None, whole: list[str], allowed: list[str]) -> tuple[Iterable[str], EndReason]:
    """What is said, token by token, and the reason given at its end."""
    if vice == "refusal":
        return pieces(REFUSAL), "refusal"
    if vice == "filtered":
        return allowed[: int(_strike_share(call) * len(allowed))], "filtered"
    if vice == "malformed":
        return pieces(malformed(call.text, _random(call, "malformed"))), "stop"
    if vice == "endless":
        start = int(_strike_share(call) * len(whole))
        again = whole[max(0, start - REPEATED_TOKENS) : start] or whole[:REPEATED_TOKENS] or [" and so on"]
        limit = ENDLESS_TOKENS_MAX if call.tokens_max is None else call.tokens_max
        return islice(chain(whole[:start], cycle(again)), limit), "length"
    return allowed, "stop" if len(allowed) == len(whole) else "length"


def _struck(dials: Dials, vice: Vice | None, at_ms: float) -> Iterator[AnyStep]:
    """How a call ends that a vice strikes inside its stream."""
    if vice in CUTS:
        yield Cut(at_ms, CUTS[vice])
    elif vice == "error_in_stream":
        yield Broke(at_ms)
    else:
        until_ms = at_ms + dials.stall_max_ms
        if vice == "stall_pings":
            while (at_ms := at_ms + dials.ping_interval_ms) < until_ms:
                yield Pinged(at_ms)
        yield Cut(until_ms, "clean")


def _paced(call: Call, random: Random, first_ms: float, words: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Give each token its time. In a burst a group of tokens waits for its last one."""
    dials = call.dials
    slower = DRIP_FACTOR if _happens(call, "drips", dials.drips) else 1.0
    bursting = _happens(call, "bursts", dials.bursts)
    median_ms, p99_ms = dials.token_interval_ms * slower, dials.token_interval_p99_ms * slower
    at_ms, waiting, size = first_ms, list[str](), 1
    for word in words:
        waiting.append(word)
        if len(waiting) >= size:
            yield from ((at_ms, word) for word in waiting)
            waiting.clear()
            size = random.randint(*BURST_TOKENS) if bursting else 1
        at_ms += _drawn_ms(random, dials, median_ms, p99_ms)
    yield from ((at_ms, word) for word in waiting)


def _drawn_ms(random: Random, dials: Dials, median_ms: float, p99_ms: float) -> float:
    if dials.pace == "fixed" or p99_ms <= median_ms or median_ms <= 0:
        return median_ms
    return random.lognormvariate(math.log(median_ms), math.log(p99_ms / median_ms) / Z_99)


def _strike_share(call: Call) -> float:
    """Where in the answer, 0 to 1, a vice strikes."""
    drawn = _random(call, "strike").random()
    return drawn if call.dials.strike_at is None else call.dials.strike_at


def _happens(call: Call, trait: str, rate: float) -> bool:
    return rate > 0 and _random(call, trait).random() < rate


def _random(call: Call, question: str) -> Random:
    return Random(f"{call.seed}/{call.key}/{question}")  # noqa: S311 -- to be repeated, not to be secret


def malformed(text: str, random: Random) -> str:
    """A structured answer as models get it wrong: wrapped in talk, cut, not JSON, or of another shape."""
    return random.choice(
        (
            f"Sure! Here is what you asked for:\n\n```json\n{text}\n```\nLet me know if you need anything else.",
            text[: len(text) * 2 // 3],
            text.replace('"', "'"),
            text.replace('":', '"', 1),
            '{"result": "see above"}',
            "[]",
        )
    )
