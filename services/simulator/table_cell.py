"""One cell of a table: a short answer from the row's passages in the form that was asked for. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from services.simulator.claims import Run, runs
from services.simulator.json_schema import Schema
from services.simulator.prompt import Asked
from services.simulator.retrieval import terms

Form = Literal["text", "number", "yes_no", "date", "one_of"]

ANSWER_WORDS_MAX: Final = 32
NOT_STATED: Final = "not stated"
FORMS: Final[dict[str, Form]] = {
    "text": "text",
    "number": "number",
    "yes_no": "yes_no",
    "date": "date",
    "one_of": "one_of",
}
"""What a schema's description of `answer` may say."""
FORM_SAID: Final = re.compile(
    r"answer is (?:a |an )?\"?(number|date|yes)|\((number|date|yes)|\b(yes)(?: or |/)\"?no\b", re.IGNORECASE
)
FORM_LINES: Final = re.compile(r"^(?:The answer is .*|Options: .*)$", re.MULTILINE)
NUMBER: Final = re.compile(r"(?<![\w.,])[-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w]*\d)")
YEAR: Final = re.compile(r"(?:1[5-9]|20)\d{2}")
MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE: Final = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}\.? (?:{MONTHS}) \d{{4}}|(?:{MONTHS}) \d{{1,2}}, \d{{4}}|(?:{MONTHS}) \d{{4}}"
    r"|\b(?:1[5-9]|20)\d{2}\b"
)
NEGATION: Final = re.compile(r"\b(?:no|not|never|none|without|cannot|nobody|neither|\w+n['\u2019]t)\b", re.IGNORECASE)


def table_cell(asked: Asked, schema: Schema) -> dict[str, Any]:
    """`{"answer", "quote", "passage"}`; where the passages do not say: 'not stated' (or null), no quote, no passage."""
    wanted = schema.resolved(schema).properties["answer"].resolved(schema)
    kinds = wanted.kinds(schema)
    options = [str(option) for option in wanted.enum if option is not None and option != NOT_STATED]
    heading, question = asked.heading.rpartition(": ")[2], FORM_LINES.sub("", asked.instructions)
    form = _form(wanted, kinds, asked.instructions)
    asked_for = frozenset(terms(f"{heading} {question}"))
    every = runs(asked.passages, [(heading, 1.0), (question, 1.0)], 0.05)
    for run in sorted((run for run in every if len(run.claims) == 1), key=lambda run: -run.score):
        said = _said(form, run, options, asked_for)
        if said is not None:
            claim = run.claims[0]
            answer = float(said) if kinds & {"number", "integer"} else said == "yes" if "boolean" in kinds else said
            if isinstance(answer, float) and answer.is_integer():
                answer = int(answer)
            return {"answer": answer, "quote": claim.quote, "passage": claim.number}
    return {"answer": NOT_STATED if "string" in kinds or wanted.enum else None, "quote": "", "passage": None}


def _form(wanted: Schema, kinds: frozenset[str], instructions: str) -> Form:
    """The form of the answer: as the schema describes it, by its type, or in the instructions' words."""
    if wanted.enum:
        return "one_of"
    if wanted.description in FORMS:
        return FORMS[wanted.description]
    if kinds & {"number", "integer"}:
        return "number"
    if "boolean" in kinds:
        return "yes_no"
    found = FORM_SAID.search(instructions)
    word = next(filter(None, found.groups())).lower() if found else "text"
    return "yes_no" if word == "yes" else FORMS[word]


def _said(form: Form, run: Run, options: list[str], asked_for: frozenset[str]) -> str | None:
    """What one sentence answers; None: nothing of that form."""
    text = run.text()
    if form == "one_of":
        return _option(text, options)
    if asked_for and not asked_for.intersection(terms(text)):
        return None
    match form:
        case "number":
            return _number(text, asked_for)
        case "yes_no":
            return "no" if NEGATION.search(text) else "yes"
        case "date":
            found = DATE.search(text)
            return found[0] if found else None
        case "text":
            words = text.split()
            return text if len(words) <= ANSWER_WORDS_MAX else " ".join(words[:ANSWER_WORDS_MAX]).rstrip(",;:") + " …"


def _number(text: str, asked_for: frozenset[str]) -> str | None:
    """The number that counts what was asked for; else the first one that is no year; else the first."""

    def rank(match: re.Match[str]) -> tuple[bool, bool]:
        counted = terms(" ".join(text[match.end() :].split()[:2]))
        return not asked_for.intersection(counted), YEAR.fullmatch(match[0]) is not None

    found = min(NUMBER.finditer(text), key=rank, default=None)
    return None if found is None else found[0].replace(",", "").replace("\u2212", "-")


def _option(text: str, options: list[str]) -> str | None:
    """The option whose words the sentence has; of 'yes' and 'no' the one that it comes to."""
    by_name = {option.casefold(): option for option in options}
    if by_name.keys() == {"yes", "no"}:
        return by_name["no" if NEGATION.search(text) else "yes"]
    said = set(terms(text))
    best = max(options, key=lambda option: len(said.intersection(terms(option))), default=None)
    return best if best is not None and said.intersection(terms(best)) else None
