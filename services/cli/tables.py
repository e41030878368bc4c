"""`scriptorium table`: a table's answers, and the questions that it asks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer

from schemas.cells import cell_id, is_asked, text_of
from schemas.document import Cell, Document
from schemas.sums import ColumnSums, sums_of
from schemas.values import Citation, Column, Reason, Section
from services.cli import options, reading
from services.cli.asking import Asking
from services.cli.changing import How, Step, change
from services.cli.refused import refused
from services.cli.showing import section_table
from services.client import DocumentClient


class TableAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a table, as JSON tells it."""

    cell: str
    state: str
    text: str
    citations: tuple[Citation, ...]
    locked: bool
    stale: tuple[Reason, ...]


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a source answers, by column; a column that is being tried has no answer of the others."""

    source: str
    name: str
    answers: Mapping[str, TableAnswer]


class TableShown(msgspec.Struct, frozen=True, kw_only=True):
    """A section that has columns."""

    section: str
    heading: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    sums: Mapping[str, ColumnSums]
    """What each column comes to."""


def table(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    doc: options.Doc,
    section: options.Section,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV.")] = False,
    add_column: Annotated[str | None, typer.Option(metavar="HEADING", help="Ask one more question.")] = None,
    instructions: Annotated[str, typer.Option(metavar="TEXT", help="The question in full; --add-column's.")] = "",
    answer_format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, number, yes_no, date or one_of; --add-column's.")
    ] = "text",
    option: Annotated[
        list[str] | None, typer.Option(help="An answer to choose from, for --format one_of; repeatable.")
    ] = None,
    sample: Annotated[
        list[str] | None, typer.Option(metavar="SOURCES", help="Try the question on these sources, as in s1,s2.")
    ] = None,
    remove_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Ask this question no longer; its id or heading.")
    ] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Print a table and what its columns come to, or add and remove its questions.

    `scriptorium table last studies --add-column "How many took part?" --format number --sample s1,s2`
    """
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    how = How(preview, if_match, wait)
    if sum((csv, add_column is not None, remove_column is not None)) > 1:
        raise refused("--csv, --add-column and --remove-column are three things: one at a time.")
    if add_column is not None:
        try:
            column = reading.column(add_column, instructions, answer_format, option or (), sample or ())
        except ValueError as error:
            raise refused(str(error)) from None
        asking.run(change(asking, doc, [_added(section, column)], how))
    elif option or sample or instructions or answer_format != "text":
        raise refused("--instructions, --format, --option and --sample belong to --add-column.")
    elif remove_column is not None:
        asking.run(change(asking, doc, lambda document: _removed(document, section, remove_column), how))
    else:
        asking.run(_print(asking, doc, section, csv=csv))


def _added(section: str, column: Column) -> Step:
    return Step(
        f"column {column.id} of {section} added",
        lambda edits, if_match: edits.put_column(section, column, if_match=if_match),
    )


async def _removed(document: DocumentClient, id_: str, named: str) -> list[Step]:
    columns = _table(await document.get(), id_).columns
    found = [column.id for column in columns if named in {column.id, column.heading}]
    if len(found) != 1:
        msg = f"--remove-column {named}: the columns of {id_} are {', '.join(column.id for column in columns)}."
        raise ValueError(msg)
    return [
        Step(
            f"column {found[0]} of {id_} removed",
            lambda edits, if_match: edits.remove_column(id_, found[0], if_match=if_match),
        )
    ]


async def _print(asking: Asking, doc: str, id_: str, *, csv: bool) -> int:
    async with asking.document(doc) as document:
        if csv:
            sys.stdout.buffer.write(await document.export("csv", section=id_))
            return 0
        shown = await document.get()
        section = _table(shown, id_)
        asking.answer(_shown(shown, section), section_table(shown, section))
        return 0


def _shown(document: Document, section: Section) -> TableShown:
    rows = tuple(
        TableRow(
            source=id_,
            name=source.given.name,
            answers={
                column.id: _answer(document, cell_id(section.id, id_, column.id))
                for column in section.columns
                if is_asked(column, id_)
            },
        )
        for id_, source in document.sources.items()
    )
    sums = {column.id: sums_of(document, section, column) for column in section.columns}
    return TableShown(section=section.id, heading=section.heading, columns=section.columns, rows=rows, sums=sums)


def _answer(document: Document, id_: str) -> TableAnswer:
    cell = document.cells.get(id_, Cell(id=id_))
    return TableAnswer(
        cell=id_,
        state=type(cell.state).__name__,
        text=text_of(document.cells, id_),
        citations=() if cell.completed is None else cell.completed.citations,
        locked=cell.locked,
        stale=cell.stale,
    )


def _table(document: Document, id_: str) -> Section:
    """ValueError where there is none."""
    found = [section for section in document.outline if section.id == id_]
    if found and found[0].columns:
        return found[0]
    known = ", ".join(section.id for section in document.outline if section.columns) or "none"
    what = f"The section {id_!r} is no table" if found else f"There is no section {id_!r}"
    msg = f"{what}; tables here: {known}."
    raise ValueError(msg)
