"""What a table cell's text answers, read from the text itself: a number with its unit, a date, one of some words. Pure.

A cell's text stays what it is, the answer with its citation; nothing is kept beside it that could say something else. The page's twin
is `web/src/lib/answers.ts`; both pass `schemas/vectors/sums.json`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final, NamedTuple

from schemas.citations import MARKER

NOT_STATED: Final = "not stated"
"""What a model answers where the passages do not say."""
DIGITS_MAX: Final = 40
EXPONENT_MAX: Final = 30
GROUP: Final = 3
"""Digits between two signs that set thousands apart."""

_SPACES: Final = " \u00a0\u2009\u202f"
_NUMBER: Final = re.compile(
    rf"([-+\u2212]?)([$\u20ac\u00a3\u00a5]?)[{_SPACES}]?([-+\u2212]?)"
    rf"([0-9]+(?:[.,'{_SPACES}][0-9]+)*)(?:[eE]([-+]?[0-9]{{1,2}}))?(?![0-9])[{_SPACES}]*(.*)"
)
# A unit begins like a word and has no number of its own in it: 'kg CO2' is one, 'of 5' and '-15' are none.
_UNIT: Final = re.compile(rf"(?![0-9.,;:<>=~\u00b1+\-\u2013\u2014\u2212/'\"])(?!.*[{_SPACES}][0-9])[^()\n]{{1,40}}")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORD: Final = (
    "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)\\.?"
)
_DATES: Final = (
    re.compile(r"(?P<y>[0-9]{4})(?:-(?P<m>[0-9]{2})(?:-(?P<d>[0-9]{2}))?)?"),
    re.compile(rf"(?P<d>[0-9]{{1,2}})\.? (?P<m>{_WORD}) (?P<y>[0-9]{{4}})", re.IGNORECASE),
    re.compile(rf"(?P<m>{_WORD}) (?:(?P<d>[0-9]{{1,2}}), )?(?P<y>[0-9]{{4}})", re.IGNORECASE),
)


class Number(NamedTuple):
    """`mantissa` / 10 ** `scale`, exactly."""

    mantissa: int
    scale: int
    """Decimal places; never negative."""
    unit: str
    """As it was written: '%', 'kg', '$'; empty: none."""


def answer_of(text: str) -> str:
    """A cell's text without its citations."""
    return " ".join(MARKER.sub(" ", text).split())


def is_stated(answer: str) -> bool:
    """Whether it says more than that the source does not say."""
    return answer.lower() != NOT_STATED


def number_of(answer: str) -> Number | None:
    """The number that an answer is, if it is one and nothing else: '1,234', '12.5 %', '$ 3.2 million', '12 000 kg'.

    Of one comma or point, a comma with three digits behind it sets thousands apart, and anything else is decimal. Of several of one
    kind each sets thousands apart; of two kinds, the last is decimal. What is about a number, or a span, is none.
    """
    found = _NUMBER.fullmatch(answer.strip())
    if found is None or (found[1] and found[3]):
        return None
    whole = _plain(found[4])
    unit = " ".join(part for part in (found[2], found[6].strip()) if part)
    if whole is None or (found[6] and not _UNIT.fullmatch(found[6])):
        return None
    digits, scale = whole
    exponent = int(found[5] or 0)
    if len(digits) > DIGITS_MAX or abs(exponent) > EXPONENT_MAX:
        return None
    mantissa = int(digits) * (1 if (found[1] or found[3]) in {"", "+"} else -1)
    places = scale - exponent
    return Number(mantissa * 10 ** max(-places, 0), max(places, 0), unit)


def date_of(answer: str) -> str | None:
    """A date as `2024`, `2024-05` or `2024-05-31`, as exact as the answer has it; None: it is in no form that can be told for sure."""
    for form in _DATES:
        found = form.fullmatch(answer.strip())
        if found is None:
            continue
        year, month, day = found["y"], found["m"], found["d"]
        if month is None:
            return year
        number = int(month) if month.isdecimal() else _MONTHS.index(month[:3].lower()) + 1
        if not 1 <= number <= len(_MONTHS) or int(year) == 0:
            return None
        if day is None:
            return f"{year}-{number:02}"
        return f"{year}-{number:02}-{int(day):02}" if 1 <= int(day) <= monthrange(int(year), number)[1] else None
    return None


def _plain(written: str) -> tuple[str, int] | None:
    """(digits, how many of them are decimal places); None where what sets its digits apart cannot be meant so."""
    signs = re.findall(r"[^0-9]", written)
    parts = re.split(r"[^0-9]", written)
    last = signs[-1] if signs else ""
    is_decimal = last in {".", ","} and signs.count(last) == 1 and not (last == "," and _sets_thousands_apart(parts))
    groups = parts[:-1] if is_decimal else parts
    if any(len(group) != GROUP for group in groups[1:]) or (len(groups) > 1 and len(groups[0]) > GROUP):
        return None
    if len(set(signs[:-1] if is_decimal else signs)) > 1:
        return None
    return "".join(parts), len(parts[-1]) if is_decimal else 0


def _sets_thousands_apart(parts: list[str]) -> bool:
    """Of a number with one comma: '1,234', but not '0,234' or '1234,567'."""
    first, *others = parts
    return first != "0" and len(first) <= GROUP and [len(part) for part in others] == [GROUP]
