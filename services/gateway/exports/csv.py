"""One table of a document as CSV (RFC 4180), for spreadsheets: a byte order mark first, which Excel needs to read UTF-8.

A spreadsheet runs a cell that looks like a formula, and a model's answer may look like anything: such a cell begins with an
apostrophe (OWASP, CSV injection). A plain number is left alone.
"""

from __future__ import annotations

import csv as rows
import io
import re
from typing import Final

from schemas.cells import cell_id, text_of
from schemas.document import Document
from schemas.values import Section
from services.gateway.exports.prose import plain, runs_of

_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?\d[\d.,' \u00a0\u202f]*\s*%?")


def csv(document: Document, section: Section) -> bytes:
    """A row a source, a column a question; citations are left out, and what is not answered is empty."""
    file = io.StringIO(newline="")
    writer = rows.writer(file)
    writer.writerow([guarded(head) for head in ("Source", *(column.heading for column in section.columns))])
    for id_, source in document.sources.items():
        answers = (text_of(document.cells, cell_id(section.id, id_, column.id)) for column in section.columns)
        writer.writerow([guarded(source.given.name), *(guarded(plain(runs_of(text))) for text in answers)])
    return file.getvalue().encode("utf-8-sig")


def guarded(value: str) -> str:
    """A value that no spreadsheet takes for a formula."""
    value = value.strip()
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value
