"""An outline as Markdown, read and written. Pure; what is written is read back as it was.

    # Title

    ## Which scribes there were {#scribes}
    What the writer of this section is to do, in as many lines as it takes.

    ## A table
    Columns:
    - Method
    - Participants (number): How many took part in the end?
    - Verdict (one of: works, fails, unclear)

    ## Summary
    Depends on: scribes, A table: Verdict

A section depends on others, or on one column of a table. Each heading below the title is a section, whatever its level. Without any, each item of a list is one, and what is indented
below it is its instructions. An id that is not given is made of the heading. A line of instructions that would be read as
something else begins with a backslash.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.events import PLAN_CELL
from schemas.values import Column, Section


class OutlineTextError(ValueError):
    """A Markdown text that is no outline; says why, and in which line."""


class Read(NamedTuple):
    """What was in it; a title may be missing."""

    title: str
    sections: tuple[Section, ...]


_HEADING: Final = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ITEM: Final = re.compile(r"^(?:[-*+]|[0-9]{1,9}[.)])[ \t]+(.*)$")
_FENCE: Final = re.compile(r"^ {0,3}(```|~~~)")
_NAMED: Final = re.compile(r"^(.*?)[ \t]*\{#([a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?)\}$")
_DEPENDS: Final = re.compile(r"^depends on:[ \t]*(.*)$", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"^columns:[ \t]*$", re.IGNORECASE)
_COLUMN: Final = re.compile(
    r"^(?P<heading>.*?)(?:[ \t]*\{#(?P<id>[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?)\})?"
    r"(?:[ \t]*\((?P<format>text|number|yes/no|date|one of:[^()]*)\))?(?:[ \t]*:[ \t]+(?P<instructions>.*))?$"
)
_READ_OTHERWISE: Final = re.compile(
    r"^(?:\\| {0,3}#{1,6}[ \t]| {0,3}(?:```|~~~)|depends on:|columns:[ \t]*$)", re.IGNORECASE
)
_LINE_END: Final = re.compile(r"\s*\n\s*")
_ID_CHARACTERS: Final = 48


def read_outline(text: str) -> Read:
    """OutlineTextError where there is no section, or one that cannot be meant."""
    lines = (
        unicodedata.normalize("NFC", text.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    )
    blocks = _headed(lines)
    title = ""
    if blocks and blocks[0].level == 1 and (len(blocks) > 1 or _items(blocks[0].lines)) and _only_one(blocks):
        title, blocks, lines = blocks[0].heading, blocks[1:], blocks[0].lines
    if not blocks:
        blocks = _items(lines)
    if not blocks:
        raise OutlineTextError("There is no section in it: each begins with a heading, as in `## Background`.")
    ids = _Ids()
    drafts = [_draft(block, ids) for block in blocks]
    by_id = {draft.id: draft for draft in drafts}
    by_heading = {draft.heading.casefold(): draft for draft in reversed(drafts)}
    return Read(
        title,
        tuple(
            _section(
                draft,
                tuple(_need(name, by_id, by_heading) for name in draft.depends_on),
            )
            for draft in drafts
        ),
    )


def written_outline(title: str, sections: Sequence[Section]) -> str:
    """The text that `read_outline` reads as these sections, where a column's words have no brackets and colons."""
    parts = [f"# {title}"] if title else []
    parts += [_written(section) for section in sections]
    return "\n\n".join(parts) + "\n"


# -- Reading --------------------------------------------------------------------------------------------------------------


class _Block(NamedTuple):
    level: int
    heading: str
    lines: list[str]
    at: int


class _Draft(NamedTuple):
    id: str
    heading: str
    instructions: str
    depends_on: tuple[str, ...]
    """Ids or headings."""
    columns: tuple[dict[str, object], ...]
    at: int


class _Ids:
    """An id for each heading."""

    def __init__(self) -> None:
        self._taken: set[str] = {PLAN_CELL}

    def of(self, given: str, heading: str, otherwise: str) -> str:
        if given:
            self._taken.add(given)  # Twice is `check_outline`'s business.
            return given
        base = slug(heading) or otherwise
        id_, number = base, 1
        while id_ in self._taken:
            number += 1
            id_ = f"{base}-{number}"
        self._taken.add(id_)
        return id_


def slug(heading: str) -> str:
    """An id made of a heading's Latin letters and digits; empty where it has none."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_ID_CHARACTERS].strip("-")


def _only_one(blocks: Sequence[_Block]) -> bool:
    return sum(block.level == 1 for block in blocks) == 1


def _headed(lines: Sequence[str]) -> list[_Block]:
    blocks: list[_Block] = []
    fence = ""
    for at, line in enumerate(lines, 1):
        fenced = _FENCE.match(line)
        if fenced is not None and fence in {"", fenced[1]}:
            fence = "" if fence else fenced[1]
        found = None if fence else _HEADING.match(line)
        if found is not None:
            blocks.append(_Block(len(found[1]), found[2].strip(), [], at))
        elif blocks:
            blocks[-1].lines.append(line)
    return blocks


def _items(lines: Sequence[str]) -> list[_Block]:
    blocks: list[_Block] = []
    for at, line in enumerate(lines, 1):
        found = _ITEM.match(line)
        if found is not None:
            blocks.append(_Block(2, found[1].strip(), [], at))
        elif blocks:
            blocks[-1].lines.append(line.strip())
    return blocks


def _named(heading: str) -> tuple[str, str]:
    found = _NAMED.match(heading)
    return (heading, "") if found is None else (found[1].strip(), found[2])


def _draft(block: _Block, ids: _Ids) -> _Draft:
    heading, given = _named(block.heading)
    instructions: list[str] = []
    columns: list[str] = []
    depends_on: tuple[str, ...] = ()
    in_columns = False
    for line in block.lines:
        item = _ITEM.match(line)
        if in_columns and (item is not None or not line.strip()):
            columns += [item[1].strip()] if item is not None else []
            continue
        in_columns = _COLUMNS.match(line) is not None
        depends = _DEPENDS.match(line)
        if depends is not None:
            depends_on += tuple(name.strip() for name in depends[1].split(",") if name.strip())
        elif not in_columns:
            instructions.append(line[1:] if line.startswith("\\") and _READ_OTHERWISE.match(line[1:]) else line)
    column_ids = _Ids()
    return _Draft(
        ids.of(given, heading, "section"),
        heading,
        "\n".join(instructions).strip(),
        depends_on,
        tuple(_column(text, column_ids) for text in columns),
        block.at,
    )


def _need(name: str, by_id: Mapping[str, _Draft], by_heading: Mapping[str, _Draft]) -> str:
    """The id of the section, or `section:column`, that is named so: ids before headings, as ids are what is written."""
    table, _, asked = name.partition(":")
    if name in by_id or (table in by_id and any(asked == column["id"] for column in by_id[table].columns)):
        return name
    if name.casefold() in by_heading:
        return by_heading[name.casefold()].id
    for at in (at for at, sign in enumerate(name) if sign == ":"):  # A heading may have colons of its own.
        table, asked = name[:at].strip(), name[at + 1 :].strip()
        found = by_id.get(table) or by_heading.get(table.casefold())
        if found is None:
            continue
        for column in found.columns:
            if asked == column["id"] or asked.casefold() == str(column["heading"]).casefold():
                return f"{found.id}:{column['id']}"
    return name


def _section(draft: _Draft, depends_on: tuple[str, ...]) -> Section:
    told = {
        "id": draft.id,
        "heading": draft.heading,
        "instructions": draft.instructions,
        "depends_on": depends_on,
        "columns": draft.columns,
    }
    try:
        return msgspec.convert(told, Section)
    except msgspec.ValidationError as error:
        msg = f"Line {draft.at}, {draft.heading or 'a heading'!r}: {error}"
        raise OutlineTextError(msg) from None


def _column(text: str, ids: _Ids) -> dict[str, object]:
    found = _COLUMN.match(text)
    parts = {} if found is None else {name: value or "" for name, value in found.groupdict().items()}
    heading, told = parts.get("heading", text).strip(), parts.get("format", "")
    name, _, options = told.partition(":")
    return {
        "id": ids.of(parts.get("id", ""), heading, "column"),
        "heading": heading,
        "instructions": parts.get("instructions", "").strip(),
        "format": {"": "text", "yes/no": "yes_no", "one of": "one_of"}.get(name, name),
        "options": tuple(option.strip() for option in options.split(",") if option.strip()),
    }


# -- Writing --------------------------------------------------------------------------------------------------------------


def _written(section: Section) -> str:
    lines = [f"## {section.heading} {{#{section.id}}}"]
    lines += [
        f"\\{line}" if _READ_OTHERWISE.match(line) else line
        for line in section.instructions.split("\n")
        if section.instructions
    ]
    if section.columns:
        lines += ["", "Columns:", *(_written_column(column) for column in section.columns)]
    if section.depends_on:
        lines += ["", f"Depends on: {', '.join(section.depends_on)}"]
    return "\n".join(lines)


def _written_column(column: Column) -> str:
    told = {"text": "", "yes_no": " (yes/no)", "one_of": f" (one of: {', '.join(column.options)})"}
    format_ = told.get(column.format, f" ({column.format})")
    one_line = _LINE_END.sub(" ", column.instructions.strip())
    instructions = f": {one_line}" if one_line else ""
    return f"- {column.heading} {{#{column.id}}}{format_}{instructions}"
