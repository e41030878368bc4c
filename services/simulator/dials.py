"""The dials: everything about the simulator's behaviour that can be turned, and the layers it is turned in.

A rate is the share of calls that a vice strikes, 0 to 1. One draw a call decides among all vices, so that rates add up and
at most one strikes; where they add up to more than 1 they are scaled down together. Later layers win: the defaults, the
settings of the model, what was turned live for `*` and then for the model, the header of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

import msgspec

from schemas.operations import TurnDials, Value

Vice = Literal[
    "error_429",
    "error_429_seconds",
    "error_429_date",
    "error_500",
    "error_502",
    "error_503",
    "error_529",
    "error_401",
    "error_context",
    "error_in_stream",
    "cut_clean",
    "cut_hard",
    "cut_json",
    "stall",
    "stall_pings",
    "endless",
    "refusal",
    "filtered",
    "malformed",
]
"""What can go wrong with one call, in the order in which the draw looks at them."""

VICES: Final[tuple[Vice, ...]] = get_args(Vice)
LASTING: Final[frozenset[Vice]] = frozenset({"error_401", "error_context"})
"""A repeat does not help against these: they are not part of the mixture `faults`."""

EVERY_MODEL: Final = "*"
SETTINGS_OF_ALL: Final = "default"
MODELS_MAX: Final = 1_000
HEADER_CHARACTERS_MAX: Final = 4_000

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=3_600_000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Turned = Mapping[str, Value]


class Dials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call's behaviour. A median and a p99 make a lognormal distribution; `fixed` takes the medians as they are."""

    seed: int = 1
    ordinal: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Which repeat of the same prompt this is, to replay one call; None: counted by the service."""
    variety: Literal[0, 1] = 0
    """0: a prompt has one answer. 1: every repeat of it is worded anew."""

    pace: Literal["lognormal", "fixed"] = "lognormal"
    first_token_ms: Milliseconds = 350
    first_token_p99_ms: Milliseconds = 1_400
    token_interval_ms: Milliseconds = 15
    token_interval_p99_ms: Milliseconds = 60
    bursts: Rate = 0
    """Share of calls whose tokens arrive 5 to 40 at a time."""
    drips: Rate = 0
    """Share of calls whose tokens come twelve times slower."""

    faults: Rate = 0
    """Share of calls struck by any passing vice, all kinds alike, on top of their own rates."""
    strike_at: Rate | None = None
    """Where in the answer a vice inside the stream strikes: 0 before its first word, 1 at its end; None: drawn."""
    error_429: Rate = 0
    error_429_seconds: Rate = 0
    error_429_date: Rate = 0
    error_500: Rate = 0
    error_502: Rate = 0
    error_503: Rate = 0
    error_529: Rate = 0
    error_401: Rate = 0
    error_context: Rate = 0
    error_in_stream: Rate = 0
    cut_clean: Rate = 0
    cut_hard: Rate = 0
    cut_json: Rate = 0
    stall: Rate = 0
    stall_pings: Rate = 0
    endless: Rate = 0
    refusal: Rate = 0
    filtered: Rate = 0
    malformed: Rate = 0

    duplicate_chunks: Rate = 0
    """Share of calls whose role chunk and last chunks are sent twice."""
    doubled_text: Rate = 0
    """Share of calls in which one piece of text is sent twice: nobody can tell that from a model that stutters."""
    empty_chunks: Rate = 0
    """Share of calls with chunks that hold nothing."""
    wrong_usage: Rate = 0
    """Share of calls whose usage is missing, zero or ten times too high."""

    retry_after_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 1
    ping_interval_ms: Annotated[float, msgspec.Meta(ge=10, le=60_000)] = 500
    stall_max_ms: Annotated[float, msgspec.Meta(ge=0, le=600_000)] = 600_000
    """A stalled or endless stream is ended after this time, if the client has not gone before."""

    concurrent_max: Count | None = None
    """Calls at the same time that the account of this model allows; None: no limit."""
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    limit_window_s: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 60
    """So many seconds' worth of the two rates may be used at once."""
    limit_retry_after: Literal["none", "seconds", "date"] = "seconds"


DEFAULTS: Final = Dials()

PRESETS: Final[dict[str, Turned]] = {
    "scribe": {},
    "scribe-large": {
        "first_token_ms": 800,
        "first_token_p99_ms": 3_000,
        "token_interval_ms": 25,
        "token_interval_p99_ms": 90,
    },
    "scribe-flaky": {"faults": 0.2, "stall_max_ms": 60_000},
    "scribe-slow": {"first_token_ms": 2_500, "first_token_p99_ms": 25_000, "drips": 0.2, "bursts": 0.2},
}
"""The models that are always there. Any other name is answered too, with the defaults."""


class DialsRefusedError(ValueError):
    """A dial that does not exist, or a value that it does not take. The message names it."""


def dials_of(*layers: Turned) -> Dials:
    """Lay the layers over the defaults, later ones over earlier ones.

    Raises DialsRefusedError.
    """
    turned = {name: value for layer in layers for name, value in layer.items()}
    # None means 'as by default', except that for some dials None is itself the default.
    named = {name: value for name, value in turned.items() if value is not None}
    unknown = sorted(turned.keys() - set(Dials.__struct_fields__))
    if unknown:
        msg = f"there is no dial called {unknown[0]!r}; see docs/simulator.md"
        raise DialsRefusedError(msg)
    try:
        return msgspec.convert(named, Dials, strict=False)
    except msgspec.ValidationError as error:
        raise DialsRefusedError(str(error)) from error


def parse_header(value: str) -> Turned:
    """The header `X-Simulator: error_429=1, first_token_ms=50, seed=7`: pairs `name=value`, set apart by commas.

    Raises DialsRefusedError when it is not of that form.
    """
    if len(value) > HEADER_CHARACTERS_MAX:
        msg = f"X-Simulator is longer than {HEADER_CHARACTERS_MAX} characters"
        raise DialsRefusedError(msg)
    turned: dict[str, Value] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        name, equals, word = pair.partition("=")
        if not equals or not name.strip() or not word.strip():
            msg = f"X-Simulator: {pair!r} is not of the form name=value"
            raise DialsRefusedError(msg)
        turned[name.strip()] = word.strip()
    return turned


class DialBoard:
    """All layers but the request's own. Kept by the service, turned by `turn`."""

    def __init__(self, seed: int, models: Mapping[str, Turned]) -> None:
        """`models` are the settings by model, `default` for all, over the presets. Raises DialsRefusedError."""
        self._base: Turned = {"seed": seed, **models.get(SETTINGS_OF_ALL, {})}
        names = [name for name in {**PRESETS, **models} if name != SETTINGS_OF_ALL]
        self.models = {name: {**PRESETS.get(name, {}), **models.get(name, {})} for name in names}
        self.live: dict[str, Turned] = {}
        for name in names:
            self.dials(name)

    def dials(self, model: str, header: str = "") -> Dials:
        """What holds for a call of `model` with this X-Simulator header. Raises DialsRefusedError."""
        return dials_of(
            self._base,
            self.models.get(model, {}),
            self.live.get(EVERY_MODEL, {}),
            self.live.get(model, {}),
            parse_header(header),
        )

    def turn(self, update: TurnDials) -> None:
        """Turn live dials. Raises DialsRefusedError, and then changes nothing."""
        if update.model not in self.live and len(self.live) >= MODELS_MAX:
            msg = f"live dials of more than {MODELS_MAX} models"
            raise DialsRefusedError(msg)
        dials_of(update.dials)
        before: Turned = {} if update.reset else self.live.get(update.model, {})
        after = {name: value for name, value in {**before, **update.dials}.items() if value is not None}
        if after:
            self.live[update.model] = after
        else:
            self.live.pop(update.model, None)
