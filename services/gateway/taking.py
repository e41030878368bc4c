"""Answers with a document in the form that was asked for."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from schemas import document as documents
from schemas.document import Document
from schemas.passages import Passage
from schemas.references import references
from schemas.values import Section
from services.gateway.exports.book import Evidence, book, title_of
from services.gateway.exports.csv import csv
from services.gateway.exports.docx import docx
from services.gateway.exports.formats import MEDIA_TYPES, Format, accepted
from services.gateway.exports.html import POLICY, html
from services.gateway.exports.markdown import markdown
from services.gateway.problems import FieldError, Problem
from services.shared.sources import SourceStore

NAME_CHARACTERS_MAX = 80
SHOWN_IN_PLACE: frozenset[Format] = frozenset({"md", "html"})


class Taking:
    """Exports are made when they are asked for, of the document as it is."""

    def __init__(self, store: SourceStore) -> None:
        self._store = store

    async def answer(self, request: Request, document: Document, status: int = 200) -> Response:
        """Problem 406 or 422 where it is not to be had so."""
        format_ = _asked(request)
        headers = {"ETag": f'"{document.sequence}"', "Cache-Control": "no-cache", "Vary": "Accept"}
        if format_ == "json":
            return Response(documents.encode(document), status, headers, media_type=MEDIA_TYPES["json"])
        # Not on the loop, which has viewers to serve: a long document takes a second.
        body = await self._made(request, document, format_)
        kind = "inline" if format_ in SHOWN_IN_PLACE else "attachment"
        headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(_file_name(document))}.{format_}"
        if format_ == "html":
            headers["Content-Security-Policy"] = f"{POLICY}; frame-ancestors 'none'; sandbox"
        charset = "; charset=utf-8" if format_ != "docx" else ""
        return Response(body, status, headers, media_type=f"{MEDIA_TYPES[format_]}{charset}")

    async def _made(self, request: Request, document: Document, format_: Format) -> bytes:
        if format_ == "csv":
            return await asyncio.to_thread(csv, document, _table(request, document))
        evidence = await self._evidence(document)
        match format_:
            case "md":
                return (await asyncio.to_thread(markdown, document, evidence)).encode()
            case "html":
                return (await asyncio.to_thread(lambda: html(book(document, evidence)))).encode()
            case _:
                return await asyncio.to_thread(lambda: docx(book(document, evidence)))

    async def _evidence(self, document: Document) -> Evidence:
        """What is cited, as the sources say it."""
        cited = {(reference.source, reference.passage) for reference in references(document)}
        evidence: dict[tuple[str, int], Passage] = {}
        for source in {source for source, _ in cited if source in document.sources}:
            found = await self._store.get_passages(document.id, source, document.sources[source].given.digest)
            for passage in () if found is None else found.passages:
                if (source, passage.number) in cited:
                    evidence[source, passage.number] = passage
        return evidence


def _asked(request: Request) -> Format:
    named = request.query_params.get("format")
    if named is None:
        format_ = accepted(request.headers.get("accept", ""))
        if format_ is None:
            raise Problem(406, f"A document is to be had as {', '.join(MEDIA_TYPES.values())}.")
        return format_
    for format_ in MEDIA_TYPES:
        if format_ == named:
            return format_
    detail = f"There is no format {named!r}; there are {', '.join(MEDIA_TYPES)}."
    raise Problem(422, detail, [FieldError("/format", detail)])


def _table(request: Request, document: Document) -> Section:
    """The section that was named, or the only one there is."""
    tables = [section for section in document.outline if section.columns]
    named = request.query_params.get("section")
    chosen = [section for section in tables if named in {None, section.id}]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(section.id for section in tables)
    detail = f"Name one of its tables: {known}." if tables else "This document has no table."
    raise Problem(422, f"/section: {detail}", [FieldError("/section", detail)])


def _file_name(document: Document) -> str:
    words = re.sub(r"[^\w.()-]+", " ", title_of(document)).strip(" .")
    return words[:NAME_CHARACTERS_MAX].strip(" .") or "document"
