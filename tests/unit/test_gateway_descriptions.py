"""OpenAPI and AsyncAPI describe what there is: every route, every event, and nothing that resolves nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from schemas.asyncapi import asyncapi
from schemas.events import AnyFact, CellCompleted, TextAppended, encode
from services.gateway.openapi import CALLS, openapi
from services.gateway.routes import Face
from services.shared.settings import Settings

DESCRIPTIONS = {"openapi": openapi("1"), "asyncapi": asyncapi("1")}


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in value.values():  # pyright: ignore[reportUnknownVariableType]
                yield from _references(inner)
        case list():
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _references(inner)
        case _:
            pass


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_every_reference_leads_somewhere(name: str) -> None:
    document = DESCRIPTIONS[name]
    references = set(_references(document))
    assert references
    for reference in references:
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]


def test_every_fact_is_described_on_the_bus_and_in_the_stream() -> None:
    channels = DESCRIPTIONS["asyncapi"]["channels"]
    names = {fact.__name__ for fact in get_args(AnyFact)}
    assert set(channels["facts"]["messages"]) == names
    assert set(channels["events"]["messages"]) == names | {"TextAppended", "CaughtUp", "snapshot"}


@pytest.mark.parametrize(
    "event",
    [
        TextAppended(cell="a", attempt=1001001, offset=0, text="x"),
        CellCompleted(at_ms=1, cell="a", revision=1, attempt=1001001, text="x", output_digest="d"),
    ],
)
def test_an_event_as_it_is_on_the_bus_is_valid_by_its_schema(event: TextAppended | CellCompleted) -> None:
    document = DESCRIPTIONS["asyncapi"]
    schema = {"$ref": f"#/components/schemas/{type(event).__name__}", "components": document["components"]}
    jsonschema.validate(msgspec.json.decode(encode(event)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"type": type(event).__name__}, schema)


def test_every_recorded_vector_is_a_valid_document() -> None:
    recorded = json.loads((Path(__file__).parents[2] / "schemas/vectors/fold.json").read_text(encoding="utf-8"))
    documents = list(_documents(recorded))
    assert documents
    schema = {"$ref": "#/components/schemas/Document", "components": DESCRIPTIONS["asyncapi"]["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    for document in documents:
        validator.validate(document)


def _documents(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and {"brief", "run", "ledger", "sequence"} <= set(value):  # pyright: ignore[reportUnknownArgumentType]
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:  # pyright: ignore[reportUnknownVariableType]
            yield from _documents(inner)


def test_every_route_of_the_face_is_described() -> None:
    parts: dict[str, Any] = dict.fromkeys(
        ("bus", "access", "creating", "uploads", "store", "hubs", "leases", "rooms", "http", "library", "fetcher"), None
    )

    app = Face(**parts, settings=Settings()).app()
    served = {
        (method.lower(), str(getattr(route, "path", "")).replace(":int", ""))
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    pages = {
        ("get", path)
        for path in ("/", "/d/{id}", "/control/{id}", "/embed/{id}", "/settings", "/library", "/{file:path}")
    }
    assert served - pages == {(call.method, call.path) for call in CALLS}
