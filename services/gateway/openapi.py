"""OpenAPI 3.1 of the HTTP face: a table of calls, and schemas from the Structs. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.asyncapi import REF, json_schemas
from schemas.document import Document
from schemas.edit_requests import (
    CellPut,
    ColumnPut,
    Comparison,
    DocumentPatch,
    Edited,
    Estimated,
    History,
    OfferPost,
    OutlinePut,
    Preview,
    RestorePost,
    RewritePost,
    SectionPatch,
    SectionPost,
    SectionPut,
    SourcePost,
    UpdatePost,
)
from schemas.library import Cards
from schemas.operations import ActOnProcess, ProcessesShown, TurnDials
from schemas.passages import Passage, PassagesRead
from schemas.requests import (
    DemoAsked,
    Demos,
    DocumentAsked,
    DocumentMade,
    DuplicateAsked,
    Health,
    KeyMade,
    ModelAsked,
    ModelsKnown,
    ModelTried,
    ProblemDetails,
    RightsShown,
    SourceAsked,
    Template,
    TemplateAsked,
    Templates,
    UploadMade,
)
from schemas.watches import FoldersOffered, WatchAsked, WatchesShown, WatchShown
from services.gateway.exports.formats import MEDIA_TYPES

JSON = "application/json"
TEXT = "text/plain"


class Call(NamedTuple):
    """One call of the face."""

    method: str
    path: str
    does: str
    takes: type | str | None = None
    """A Struct, or a media type."""
    answers: dict[int, type | tuple[type, ...] | str | None] = {}  # noqa: RUF012 -- never changed
    """By status: a Struct, one of several, or a media type."""
    refuses: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    needs_key: bool = False


_ID = "/api/documents/{id}"
_EDIT = (400, 401, 403, 404, 409, 412, 413, 415, 422, 503)


def _edit(method: str, path: str, does: str, takes: type | None = None, refuses: tuple[int, ...] = _EDIT) -> Call:
    headers, query = ("If-Match", "Scriptorium-Who", "Scriptorium-Cause"), ("preview",)
    return Call(method, f"{_ID}{path}", does, takes, {200: (Edited, Preview)}, refuses, headers, query, needs_key=True)


_PAST = (400, 404, 410, 503)
EDIT_CALLS: tuple[Call, ...] = (
    Call(
        "post",
        "/api/documents/estimate",
        "What a document would come to, before anything is spent.",
        DocumentAsked,
        {200: Estimated},
        (400, 403, 413, 415, 422),
        headers=("Scriptorium-Owner",),
    ),
    Call(
        "post",
        f"{_ID}/estimate",
        "What this outline would come to, with the sources that the document has.",
        OutlinePut,
        {200: Estimated},
        (400, 403, 404, 413, 415, 422, 503),
    ),
    _edit("patch", "", "Change title, brief or parts of the policy.", DocumentPatch),
    _edit("put", "/outline", "Make this the outline.", OutlinePut),
    _edit("post", "/sections", "Add a section.", SectionPost),
    _edit("patch", "/sections/{section}", "Change parts of a section.", SectionPatch),
    _edit("put", "/sections/{section}", "Make this the section, or add it.", SectionPut),
    _edit("delete", "/sections/{section}", "Remove a section; others no longer depend on it."),
    _edit("put", "/sections/{section}/columns/{column}", "Add or change one question of a table.", ColumnPut),
    _edit("delete", "/sections/{section}/columns/{column}", "Remove one question of a table."),
    _edit("put", "/cells/{cell}", "Write a cell's text by hand, which locks it.", CellPut),
    _edit("post", "/cells/{cell}/rewrite", "Write a cell again; of a locked one, offer a rewrite.", RewritePost),
    _edit("post", "/cells/{cell}/accept", "Take the rewrite that is offered.", OfferPost),
    _edit("post", "/cells/{cell}/decline", "Keep the text, and drop the rewrite that is offered.", OfferPost),
    _edit("post", "/cells/{cell}/lock", "Keep a cell's text, whatever happens to its inputs."),
    _edit("post", "/cells/{cell}/unlock", "Let a cell follow its inputs again."),
    _edit("post", "/sources", "Add a source.", SourcePost),
    _edit("put", "/sources/{source}", "Replace a source's bytes.", SourceAsked),
    _edit("delete", "/sources/{source}", "Write without a source."),
    _edit("post", "/update", "Bring cells up to date.", UpdatePost),
    _edit("post", "/restore", "Make the document what it was at an earlier moment.", RestorePost, (*_EDIT, 410)),
    Call("get", f"{_ID}/history", "Every edit, newest first.", None, {200: History}, _PAST),
    Call(
        "get",
        f"{_ID}/compare",
        "What differs between two moments.",
        None,
        {200: Comparison},
        _PAST,
        query=("from", "to"),
    ),
    Call(
        "get",
        f"{_ID}/log",
        "The facts, one a line.",
        None,
        {200: "application/x-ndjson"},
        _PAST,
        query=("after", "limit"),
    ),
)
WATCH_CALLS: tuple[Call, ...] = (
    Call("get", "/api/folders", "The folders that may be watched here, by name.", None, {200: FoldersOffered}),
    Call(
        "get",
        f"{_ID}/watches",
        "What the document follows by itself, and how that stands. Webhooks' addresses are for whoever has its key.",
        None,
        {200: WatchesShown},
        (404, 503),
    ),
    Call(
        "post",
        f"{_ID}/watches",
        "Follow a folder (each of its files is a source) or an address.",
        WatchAsked,
        {201: WatchShown},
        (400, 401, 403, 404, 409, 413, 415, 422, 503),
        needs_key=True,
    ),
    Call(
        "delete",
        f"{_ID}/watches/{{watch}}",
        "Follow it no longer; its sources stay.",
        None,
        {204: None},
        (401, 403, 404, 503),
        needs_key=True,
    ),
    Call(
        "post",
        "/api/hooks/{token}",
        "Say that what a watch looks at has changed. Any body will do, and none is read.",
        None,
        {202: None},
        (404, 413, 429, 503),
    ),
)
_DEMO = (401, 403, 404, 503)
CALLS: tuple[Call, ...] = (
    Call(
        "post",
        "/api/documents",
        "Have a document written. With `Prefer: wait=N` (RFC 7240) the answer is the finished document, with `Preference-Applied`, if it "
        "is done in N seconds; otherwise it is as without: the document has been made, and goes on.",
        DocumentAsked,
        {201: DocumentMade},
        (400, 403, 413, 415, 422, 503),
        headers=("Idempotency-Key", "Prefer", "Scriptorium-Owner"),
    ),
    Call(
        "post",
        "/api/uploads",
        "Hand over a file, raw; a source may name it for an hour.",
        "application/octet-stream",
        {201: UploadMade},
        (403, 413, 422, 503),
        query=("name",),
    ),
    Call(
        "get",
        _ID,
        "The folded document, as JSON, or to take away: Markdown, HTML, DOCX, or the table of a section as CSV.",
        None,
        {200: Document},
        (400, 404, 406, 410, 422, 503),
        query=("format", "section", "at"),
    ),
    Call(
        "get",
        f"{_ID}/events",
        "Follow a document (server-sent events; see /asyncapi.json): a snapshot and the tail, or what came after an event's id.",
        None,
        {200: "text/event-stream"},
        (404, 503),
        headers=("Last-Event-ID",),
        query=("last_event_id",),
    ),
    Call("post", f"{_ID}/stop", "Stop, whoever is watching.", None, {202: None}, (401, 403, 404, 503), needs_key=True),
    Call(
        "post",
        f"{_ID}/cells/{{cell}}/stop",
        "Stop one cell that is queued or being written; the document goes on without it.",
        None,
        {202: None},
        (401, 403, 404, 409, 503),
        needs_key=True,
    ),
    *EDIT_CALLS,
    *WATCH_CALLS,
    Call(
        "post",
        f"{_ID}/resume",
        "Go on with a paused document.",
        None,
        {202: None},
        (401, 403, 404, 503),
        needs_key=True,
    ),
    Call(
        "get",
        f"{_ID}/sources/{{source}}/passages",
        "A source as it was read; `?at=` the version that the document had at that sequence of its log.",
        None,
        {200: PassagesRead},
        _PAST,
        query=("at",),
    ),
    Call(
        "get",
        f"{_ID}/sources/{{source}}/passages/{{number}}",
        "One passage.",
        None,
        {200: Passage},
        _PAST,
        query=("at",),
    ),
    Call(
        "get",
        f"{_ID}/operations",
        "The bus as it happens, as far as it concerns this document (server-sent events; see /asyncapi.json). Not a viewer.",
        None,
        {200: "text/event-stream"},
        (400, 401, 403, 404, 503),
        headers=("Last-Event-ID",),
        query=("last_event_id",),
        needs_key=True,
    ),
    Call(
        "get",
        f"{_ID}/operations/dials",
        "The simulator's dials (a demo's only).",
        None,
        {200: None},
        _DEMO,
        needs_key=True,
    ),
    Call(
        "patch",
        f"{_ID}/operations/dials",
        "Turn the simulator's dials (a demo's only).",
        TurnDials,
        {200: None},
        (*_DEMO, 400, 413, 415, 422),
        needs_key=True,
    ),
    Call(
        "get",
        f"{_ID}/operations/processes",
        "What `scriptorium up` runs (a demo's only).",
        None,
        {200: ProcessesShown},
        _DEMO,
        needs_key=True,
    ),
    Call(
        "post",
        f"{_ID}/operations/processes",
        "Kill, freeze, thaw or restart a process (a demo's only).",
        ActOnProcess,
        {200: ProcessesShown},
        (*_DEMO, 400, 413, 415, 422),
        needs_key=True,
    ),
    Call(
        "get",
        "/api/documents",
        "The documents of whoever asks (by cookie, or by the header Scriptorium-Owner), what changed last first.",
        None,
        {200: Cards},
        (400, 403, 422, 503),
        headers=("Scriptorium-Owner",),
        query=("q", "limit", "after"),
    ),
    Call(
        "delete",
        _ID,
        "Delete a document with all that is kept of it. 202 where that takes longer.",
        None,
        {204: None, 202: None},
        (401, 403, 404, 503),
        needs_key=True,
    ),
    Call(
        "get",
        f"{_ID}/key",
        "Whether whoever asks may change the document.",
        None,
        {200: RightsShown},
        (403, 404, 503),
    ),
    Call(
        "post",
        f"{_ID}/key",
        "Have the key that is given (`Authorization: Bearer`) as a cookie, and the document in one's library: how a link for editing is "
        "taken.",
        None,
        {204: None},
        (401, 403, 404, 503),
        headers=("Scriptorium-Owner",),
        needs_key=True,
    ),
    Call(
        "post",
        f"{_ID}/keys",
        "One more key, for a link for editing: `/d/{id}#key=…`. What stands behind # is sent to no server.",
        None,
        {201: KeyMade},
        (401, 403, 404, 409, 503),
        needs_key=True,
    ),
    Call(
        "delete",
        f"{_ID}/keys",
        "Take back all keys but the first. Needs the first.",
        None,
        {204: None},
        (401, 403, 404, 503),
        needs_key=True,
    ),
    Call(
        "post",
        f"{_ID}/duplicate",
        "A document with the same brief, outline and sources, written anew.",
        DuplicateAsked,
        {201: DocumentMade},
        (400, 403, 404, 415, 422, 503),
        headers=("Scriptorium-Owner",),
    ),
    Call(
        "get",
        "/api/templates",
        "Outlines to begin with: those that come along, and one's own.",
        None,
        {200: Templates},
        (400, 403, 503),
        headers=("Scriptorium-Owner",),
    ),
    Call(
        "post",
        "/api/templates",
        "Keep an outline, or that of a document.",
        TemplateAsked,
        {201: Template},
        (400, 403, 404, 415, 422, 503),
        headers=("Scriptorium-Owner",),
    ),
    Call(
        "delete",
        "/api/templates/{template}",
        "Keep a template of one's own no longer.",
        None,
        {204: None},
        (400, 403, 404, 503),
        headers=("Scriptorium-Owner",),
    ),
    Call("get", "/api/demo", "What may be had ready-made.", None, {200: Demos}),
    Call(
        "post",
        "/api/demo",
        "Have a ready-made document written.",
        DemoAsked,
        {201: DocumentMade},
        (400, 403, 422, 503),
        ("Scriptorium-Owner",),
    ),
    Call(
        "get",
        "/api/models",
        "Models that may be asked: configured, or found at their providers. No keys.",
        None,
        {200: ModelsKnown},
    ),
    Call(
        "post",
        "/api/models/try",
        "Ask one model for one word.",
        ModelAsked,
        {200: ModelTried},
        (400, 403, 413, 422, 429),
    ),
    Call("get", "/healthz", "This process answers.", None, {200: Health}),
    Call("get", "/readyz", "A document could be written.", None, {200: Health}, (503,)),
    Call("get", "/metrics", "Figures for Prometheus.", None, {200: TEXT}),
    Call("get", "/openapi.json", "This description.", None, {200: None}),
    Call("get", "/asyncapi.json", "The same of the bus and of the event stream.", None, {200: None}),
)


def openapi(version: str) -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    said = [one for call in CALLS for one in (call.takes, *call.answers.values())]
    structs = {t for one in said for t in (one if isinstance(one, tuple) else (one,)) if isinstance(t, type)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Scriptorium",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": json_schemas(*sorted(structs, key=lambda struct: struct.__name__), ProblemDetails),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "scriptorium-key"},
            },
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    places = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    parameters = [
        *(_parameter(name, "path") for name in places),
        *(_parameter(name, "query") for name in call.query),
        *(_parameter(name, "header") for name in call.headers),
    ]
    answers = {str(status): _answer(type_) for status, type_ in call.answers.items()}
    refusal = {"description": "Refused.", "content": {"application/problem+json": _schema(ProblemDetails)}}
    operation: dict[str, Any] = {
        "summary": call.does,
        "parameters": parameters,
        "responses": answers | {str(status): refusal for status in call.refuses},
    }
    if call.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(call.takes)}
    if call.needs_key:
        operation["security"] = [{"key": []}, {"cookie": []}]
    return operation


def _parameter(name: str, where: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path" or name == "name", "schema": {"type": "string"}}


def _answer(type_: type | tuple[type, ...] | str | None) -> dict[str, Any]:
    return {"description": "Done."} if type_ is None else {"description": "Done.", "content": _content(type_)}


def _content(type_: type | tuple[type, ...] | str) -> dict[str, Any]:
    if isinstance(type_, str):
        return {type_: {}}
    if isinstance(type_, tuple):
        return {JSON: {"schema": {"oneOf": [_schema(one)["schema"] for one in type_]}}}
    exports: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES.values()} if type_ is Document else {}
    return exports | {JSON: _schema(type_)}


def _schema(type_: type) -> dict[str, Any]:
    return {"schema": {"$ref": REF.format(name=type_.__name__)}}
