"""What a model's answer amounts to: a cell's text, with its citations checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.answers import NOT_STATED, is_stated, number_of
from schemas.cells import Wanted, text_digest
from schemas.citations import QUOTE_CHARACTERS_MAX, PassageText, cited
from schemas.events import CellCompleted
from schemas.passages import Passages
from schemas.values import Column
from services.shared.attempt.effects import Conclude
from services.shared.attempt.look import Ask
from services.shared.models.requests import Message, ResponseSchema

ANSWER_CHARACTERS_MAX = 4_000
_DATE = re.compile(r".*\d.*")


class TableCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model answers for a cell of a table."""

    answer: str | int | float
    quote: str = ""
    passage: int | None = None


_decode = msgspec.json.Decoder(TableCell).decode


def table_cell_schema(column: Column) -> ResponseSchema:
    """JSON Schema of `TableCell`, within what strict structured output knows."""
    answer: dict[str, Any] = {"type": "string", "description": column.format}
    if column.options:
        answer["enum"] = [*column.options, NOT_STATED]
    return ResponseSchema(
        "table_cell",
        {
            "type": "object",
            "properties": {"answer": answer, "quote": {"type": "string"}, "passage": {"type": "integer"}},
            "required": ["answer", "quote", "passage"],
            "additionalProperties": False,
        },
    )


def passage_text(sources: Mapping[str, Passages]) -> PassageText:
    """Look up a passage by source and number."""
    by_number = {(id_, passage.number): passage.text for id_, source in sources.items() for passage in source.passages}
    return lambda source, number: by_number.get((source, number))


class CellWork:
    """One cell: the question, and what its answer means."""

    def __init__(
        self, ask: Ask, wanted: Wanted, messages: tuple[Message, ...], sources: Mapping[str, Passages]
    ) -> None:
        self.messages = messages
        self.response_schema = None if wanted.column is None else table_cell_schema(wanted.column)
        self._ask = ask
        self._wanted = wanted
        self._sources = sources

    def problem(self, text: str) -> str | None:
        """Prose is taken as it is; a table's cell has to fit its column."""
        return None if self._wanted.column is None else problem_of(text, self._wanted.column)

    def fact(self, done: Conclude) -> CellCompleted:
        """The cell, completed."""
        text = done.text
        if self._wanted.column is not None and self._wanted.row is not None:
            text = written(_decode(text), self._wanted.row)
        return CellCompleted(
            at_ms=done.at_ms,
            cell=self._ask.cell,
            revision=self._ask.revision,
            attempt=done.attempt,
            text=text,
            output_digest=text_digest(text),
            model=done.model,
            fell_back_from=done.fell_back_from,
            citations=cited(text, passage_text(self._sources)),
            cut=done.cut,
            cached=done.cached,
            tokens_in=done.tokens_in,
            tokens_out=done.tokens_out,
            cost=done.cost,
            first_token_ms=done.first_token_ms,
            duration_ms=done.duration_ms,
        )


def problem_of(text: str, column: Column) -> str | None:
    """What is wrong with a table cell's answer."""
    try:
        cell = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"it is not JSON of the form asked for: {error}."
    answer = str(cell.answer).strip()
    if not answer:
        return '"answer" is empty.'
    if len(answer) > ANSWER_CHARACTERS_MAX:
        return f'"answer" is longer than {ANSWER_CHARACTERS_MAX} characters.'
    if not is_stated(answer):
        return None
    match column.format:
        case "number" if number_of(answer) is None:
            return '"answer" has to be one number, in digits, with nothing but its unit behind it.'
        case "yes_no" if answer.casefold() not in {"yes", "no"}:
            return '"answer" has to be "yes" or "no".'
        case "date" if not _DATE.fullmatch(answer):
            return '"answer" has to be a date.'
        case "one_of" if answer not in column.options:
            return f'"answer" has to be one of: {"; ".join(column.options)}.'
        case _:
            return None


def written(cell: TableCell, row: str) -> str:
    """The cell's text: the answer and, where it has one, the way back to its source."""
    answer = str(cell.answer).strip()
    if not cell.passage or cell.passage < 1:
        return answer
    quote = quotable(cell.quote)
    marker = f'[[{row}:{cell.passage} "{quote}"]]' if quote else f"[[{row}:{cell.passage}]]"
    return f"{answer} {marker}"


def quotable(quote: str) -> str:
    """The longest run of a quote that a marker can hold; quotation marks of any kind are found as one."""
    runs = re.split(r"[\[\]]", quote.replace('"', "'"))
    return max((" ".join(run.split()) for run in runs), key=len)[:QUOTE_CHARACTERS_MAX]
