"""One cell of a table: a short answer from the row's passages in the form that was asked for. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from services.simulator.claims import Run, runs
from services.simulator.json_schema import Schema
from services.simulator.prompt import Asked
from services.simulator.retrieval import terms

ANSWER_WORDS_MAX: Final = 32
NOT_STATED: Final = "not stated"
NUMBER: Final = re.compile(r"(?<![\w.])[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])[-−]?\d+(?:\.\d+)?(?![\w.]*\d)")  # noqa: RUF001 -- minus
YEAR: Final = re.compile(r"(?:1[5-9]|20)\d{2}")
MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE: Final = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}\.? (?:{MONTHS}) \d{{4}}|(?:{MONTHS}) \d{{1,2}}, \d{{4}}|(?:{MONTHS}) \d{{4}}|\b(?:1[5-9]|20)\d{{2}}\b"
)
NEGATION: Final = re.compile(
    r"\b(?:no|not|never|none|without|cannot|can't|doesn't|isn't|aren't|won't|nobody|neither)\b", re.IGNORECASE
)
FORMAT: Final = re.compile(r"\b(number|yes_no|yes or no|yes/no|date|one_of)\b", re.IGNORECASE)


def table_cell(asked: Asked, schema: Schema) -> dict[str, Any]:
    """`{"answer", "quote", "passage"}`; where the passages do not say: 'not stated', no quote, passage 0 (or null)."""
    wanted = schema.resolved(schema).properties["answer"].resolved(schema)
    kinds = wanted.kinds(schema)
    question = f"{asked.heading} {asked.instructions}"
    found = re.search(FORMAT, f"{wanted.description} {asked.instructions}")
    form = (
        "number"
        if kinds & {"number", "integer"}
        else "boolean"
        if "boolean" in kinds
        else found[1].lower()
        if found
        else "text"
    )
    every = sorted(
        runs(asked.passages, [(asked.instructions or asked.heading, 1.0), (asked.heading, 0.4)], 0.05),
        key=lambda run: -run.score,
    )
    asked_for = frozenset(terms(question))
    alone = [run for run in every if len(run.claims) == 1]
    options = [str(option) for option in wanted.enum if option is not None]
    for run in alone:
        said = _said(form, run, options, asked_for)
        if said is not None:
            return {"answer": said, "quote": run.claims[0].quote, "passage": run.claims[0].number}
    nothing = None if "null" in kinds or kinds & {"number", "integer"} else NOT_STATED
    # fitted() makes of None what the schema has for it.
    return {"answer": nothing, "quote": "", "passage": None}


def _said(form: str, run: Run, options: list[str], asked_for: frozenset[str]) -> Any:  # noqa: ANN401 -- as the schema has it
    """What one sentence answers; None: nothing of that form."""
    text = run.text()
    if options:
        return _option(text, options)
    if asked_for and not asked_for & frozenset(terms(text)):
        return None
    match form:
        case "number":
            return _number(text, asked_for)
        case "boolean":
            return NEGATION.search(text) is None
        case "yes_no" | "yes or no" | "yes/no":
            return "no" if NEGATION.search(text) else "yes"
        case "date":
            found = DATE.search(text)
            return found[0] if found else None
        case _:
            words = text.split()
            return text if len(words) <= ANSWER_WORDS_MAX else " ".join(words[:ANSWER_WORDS_MAX]).rstrip(",;:") + " …"


def _number(text: str, asked_for: frozenset[str]) -> float | None:
    """The number that counts what was asked for; else the first one that is no year; else the first."""

    def rank(match: re.Match[str]) -> tuple[bool, bool]:
        counted = terms(" ".join(text[match.end() :].split()[:2]))
        return not asked_for.intersection(counted), YEAR.fullmatch(match[0]) is not None

    found = min(NUMBER.finditer(text), key=rank, default=None)
    return None if found is None else float(found[0].replace(",", "").replace("\u2212", "-"))


def _option(text: str, options: list[str]) -> str | None:
    if {option.lower() for option in options} == {"yes", "no"}:
        word = "no" if NEGATION.search(text) else "yes"
        return next(option for option in options if option.lower() == word)
    said = set(terms(text))
    ranked = max(options, key=lambda option: len(said & set(terms(option))))
    return ranked if said & set(terms(ranked)) else None
