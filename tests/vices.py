"""The table of vices: what a model does wrong, and what comes of it. `tests/integration/test_vices.py` plays every row.

`python -m tests.vices` writes `docs/vices.md` from it, `--check` fails when the file says anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from schemas.values import ErrorKind
from services.shared.attempt.errors import ERRORS

FILE: Final = Path(__file__).parents[1] / "docs" / "vices.md"


class Row(NamedTuple):
    """What the first model of the chain does in every call; the next one is well."""

    id: str
    vice: str
    dials: Mapping[str, Any]
    tells: tuple[ErrorKind, ...] = ()
    """Of each try that failed, in order, what the reader is told."""
    first: int = 1
    """Calls of the first model."""
    next: int = 0
    """Calls of the next one."""
    text: Literal["whole", "cut", "none"] = "whole"
    cut: ErrorKind | None = None
    shows: bool = False
    """Whether text of a try that failed was to be seen before it was begun anew."""
    cells: int = 1
    table: bool = False
    """It is a cell of a table, whose answer has a form."""
    model: str = "simulator/{id}"


BY_NEXT: Final[dict[str, Any]] = {"first": 2, "next": 1}
"""Asked once more, then the next model."""
AT_ONCE: Final[dict[str, Any]] = {"first": 1, "next": 1}
"""Asked no more: it would say the same."""
HALFWAY: Final = {"strike_at": 0.5}
SHORT_WAIT: Final = {"retry_after_s": 1}

ROWS: Final[tuple[Row, ...]] = (
    Row("well", "none", {}),
    Row("error-429", "429", {"error_429": 1}, ("rate_limited",) * 2, **BY_NEXT),
    Row(
        "error-429-seconds",
        "429 with `Retry-After` in seconds, a short one",
        {"error_429_seconds": 1, **SHORT_WAIT},
        ("rate_limited",) * 2,
        **BY_NEXT,
    ),
    Row(
        "error-429-date",
        "429 with `Retry-After` as a date, a late one",
        {"error_429_date": 1, "retry_after_s": 60},
        ("rate_limited",),
        **AT_ONCE,
    ),
    Row("error-500", "500", {"error_500": 1}, ("server_error",) * 2, **BY_NEXT),
    Row("error-502", "502", {"error_502": 1}, ("server_error",) * 2, **BY_NEXT),
    Row("error-503", "503", {"error_503": 1}, ("overloaded",) * 2, **BY_NEXT),
    Row("error-529", "529", {"error_529": 1}, ("overloaded",) * 2, **BY_NEXT),
    Row("error-401", "401", {"error_401": 1}, ("unauthorized",), **AT_ONCE),
    Row("error-context", "400, the prompt is too long for it", {"error_context": 1}, ("context_length",), **AT_ONCE),
    Row("nobody-there", "nobody listens", {}, ("connection",) * 2, first=0, next=1, model="nowhere/none"),
    Row(
        "error-in-stream",
        "an error inside the stream, after 200",
        {"error_in_stream": 1, **HALFWAY},
        ("server_error",) * 2,
        shows=True,
        **BY_NEXT,
    ),
    Row(
        "cut-clean",
        "the stream ends without `finish_reason`",
        {"cut_clean": 1, **HALFWAY},
        ("cut",) * 2,
        shows=True,
        **BY_NEXT,
    ),
    Row("cut-hard", "the connection is reset", {"cut_hard": 1, **HALFWAY}, ("cut",) * 2, shows=True, **BY_NEXT),
    Row("cut-json", "half a JSON", {"cut_json": 1, **HALFWAY}, ("cut",) * 2, shows=True, **BY_NEXT),
    Row("stall", "silence in mid-answer", {"stall": 1, **HALFWAY}, ("stalled",) * 2, shows=True, **BY_NEXT),
    Row(
        "stall-pings",
        "silence in mid-answer, with signs of life that say nothing",
        {"stall_pings": 1, "ping_interval_ms": 50, **HALFWAY},
        ("stalled",) * 2,
        shows=True,
        **BY_NEXT,
    ),
    Row(
        "stall-first",
        "signs of life, and never a first word",
        {"stall_pings": 1, "ping_interval_ms": 50, "strike_at": 0},
        ("slow_start",) * 2,
        **BY_NEXT,
    ),
    Row("endless", "the same words over and over, without end", {"endless": 1}, text="cut", cut="repetition"),
    Row("refusal", "a refusal", {"refusal": 1}, ("refused",), **AT_ONCE),
    Row("filtered", "filtered midway", {"filtered": 1, **HALFWAY}, ("refused",), shows=True, **AT_ONCE),
    Row(
        "malformed",
        "a table's cell whose answer has not the form, twice",
        {"malformed": 1},
        ("bad_answer",) * 2,
        first=2,
        text="none",
        table=True,
    ),
    Row("duplicate-chunks", "first and last chunks sent twice", {"duplicate_chunks": 1}),
    Row("empty-chunks", "chunks without text", {"empty_chunks": 1}),
    Row("wrong-usage", "usage that is missing, zero or tenfold", {"wrong_usage": 1}),
    Row("slow-drip", "words that come twelve times slower", {"drips": 1}),
    Row("bursts", "words that come forty at a time", {"bursts": 1}),
    Row(
        "one-at-a-time", "an account that allows one call at a time", {"concurrent_max": 1}, ("rate_limited",), cells=4
    ),
    Row(
        "few-a-minute",
        "an account that allows two calls at once, and one a second after that",
        {"requests_per_minute": 60, "limit_window_s": 2},
        ("rate_limited",),
        cells=4,
    ),
    Row(
        "few-tokens",
        "an account whose tokens are used up",
        {"tokens_per_minute": 3_000, "limit_window_s": 60},
        ("rate_limited",),
        cells=4,
    ),
)
"""Of an account's limits the calls depend on who comes first; there `tells` is what may be told, and every cell is whole."""


def reads(row: Row) -> str:
    """What the reader sees, in words."""
    if row.cells > 1:
        return f"{row.cells} parts, all of them in the end; where one waits: {ERRORS['rate_limited'].reads}"
    parts: list[str] = []
    for kind in dict.fromkeys(row.tells):
        times = row.tells.count(kind)
        parts.append(ERRORS[kind].reads + ("" if times == 1 else f" ({'twice' if times == 2 else times})"))
    if row.shows:
        parts.append("What had come stays until the next try begins, anew.")
    if row.cut is not None:
        parts.append(ERRORS[row.cut].reads)
    if row.next:
        parts.append("The next model writes it, and the part says so.")
    if row.text == "none":
        parts.append("The part has failed, and says why.")
    return " ".join(parts) or "The text."


def made(row: Row) -> str:
    """The calls, in words."""
    if row.cells > 1:
        return f"{row.cells}, and those that were refused"
    if row.model.startswith("nowhere"):
        return "2 that reached nobody, 1 of the next model"
    return f"{row.first} of the model" + (f", {row.next} of the next" if row.next else "")


KEPT: Final = {"whole": "the whole of one answer", "cut": "as far as it went", "none": "none"}


def told() -> str:
    """The file's content."""
    lines = [
        "# What a model does wrong, and what comes of it",
        "",
        "Every row is played by `tests/integration/test_vices.py`: a real writer on a real bus asks the simulator over real HTTP,",
        "whose first model has the vice in every single call. The next model of the chain is well. The calls are counted at the far",
        "end. Written by `python -m tests.vices` from the rows that are played.",
        "",
        "| vice | what the reader sees | calls made | text kept |",
        "|---|---|---|---|",
        *(f"| {row.vice} | {reads(row)} | {made(row)} | {KEPT[row.text]} |" for row in ROWS),
        "",
        "Two answers are never spliced: a try that follows a failed one begins its text anew. `Retry-After` is obeyed up to three",
        "seconds; beyond that the next model is asked, if there is one. A count that cannot be right is replaced by an estimate,",
        "and the ledger says so.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file, or check it."""
    if "--check" in sys.argv:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != told():
            sys.exit(f"{FILE.name} is not what is played: python -m tests.vices")
        return
    FILE.write_text(told(), encoding="utf-8")


if __name__ == "__main__":
    main()
