"""AsyncAPI 3.0 of the bus and of the event stream, and JSON Schema of all that goes over them: from the Structs. Pure."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from schemas import subjects
from schemas.commands import AnyCommand
from schemas.document import Document
from schemas.events import AnyFact, TextAppended
from schemas.jobs import AnyJob
from schemas.operations import Dropped, HouseSample, Operation
from schemas.requests import CaughtUp
from schemas.samples import AnyHold, AnySample

REF = "#/components/schemas/{name}"
SNAPSHOT = "snapshot"


def json_schemas(*types: Any) -> dict[str, Any]:  # noqa: ANN401 -- any Struct
    """JSON Schema (2020-12) of these types and all they are made of, by name."""
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    return components


def asyncapi(version: str) -> dict[str, Any]:
    """Channels, messages, and who sends what."""
    facts, wishes, work = get_args(AnyFact), get_args(AnyCommand), get_args(AnyJob)
    holds, samples = get_args(AnyHold), (AnySample, *get_args(HouseSample))
    passing = (*facts, TextAppended, *wishes, *work, *holds, *samples, CaughtUp, Operation, Dropped)
    channels = {
        "facts": _channel(subjects.facts("{document}"), facts, "A document's log: what happened, in order, for ever."),
        "ink": _channel(
            subjects.ink("{document}"), (TextAppended,), "Text on its way; may be lost, and is sent again."
        ),
        "liveFacts": _channel(
            subjects.live_facts("{document}"),
            facts,
            "Facts as the stream has them, with their sequences in the headers.",
        ),
        "liveInk": _channel(subjects.live_ink("{document}"), (TextAppended,), "Ink, likewise."),
        "commands": _channel(subjects.command("{document}"), wishes, "Wishes, which may be refused."),
        "jobs": _channel(
            subjects.job("{lane}", "{kind}", "{document}", "{cell}"), work, "Work, for whoever takes it first."
        ),
        "samples": _channel(
            subjects.metrics("{service}"),
            samples,
            "How a service is doing, once a second, and what happened to it; may be lost.",
        ),
        "modelHolds": _channel(
            subjects.MODEL_HOLDS, holds, "Which models are held, from those who ask them to each other; may be lost."
        ),
        "events": _events(facts),
        "operations": _room(),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Scriptorium",
            "version": version,
            "description": "Facts, ink, commands and jobs on NATS, and the stream of events that a browser follows.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            **_operation("appendFacts", "send", "facts", channels),
            **_operation("writeInk", "send", "ink", channels),
            **_operation("followFacts", "receive", "liveFacts", channels),
            **_operation("followInk", "receive", "liveInk", channels),
            **_operation("utterCommands", "send", "commands", channels),
            **_operation("takeJobs", "receive", "jobs", channels),
            **_operation("sample", "send", "samples", channels),
            **_operation("tellHolds", "send", "modelHolds", channels),
            **_operation("watchDocument", "receive", "events", channels),
            **_operation("watchOperations", "receive", "operations", channels),
        },
        "components": {
            "messages": {
                **{type_.__name__: _message(type_) for type_ in passing},
                SNAPSHOT: _message(Document, SNAPSHOT),
            },
            "schemas": json_schemas(*passing, Document),
        },
    }


def _events(facts: tuple[type, ...]) -> dict[str, Any]:
    channel = _channel(
        "/api/documents/{document}/events",
        (*facts, TextAppended, CaughtUp),
        "Server-sent events over HTTP. `event` is the message's name, `data` its bytes as they were on the bus, `id` says how far "
        "a viewer is: epoch of the ink in hexadecimal, last fact, last ink. `snapshot` carries the folded document.",
    )
    channel["messages"][SNAPSHOT] = {"$ref": f"#/components/messages/{SNAPSHOT}"}
    channel["bindings"] = {"http": {}}
    return channel


def _room() -> dict[str, Any]:
    channel = _channel(
        "/api/documents/{document}/operations",
        (Operation, Dropped, CaughtUp),
        "Server-sent events over HTTP, for whoever has the document's key: the log from its start, then what happens on the bus. "
        "Where what was first in the log is gone by rule, `snapshot` carries the document that it came to. `id` is the sequence of the last fact. Facts are complete; of all else, `Dropped` says how many were left out.",
    )
    channel["messages"][SNAPSHOT] = {"$ref": f"#/components/messages/{SNAPSHOT}"}
    channel["bindings"] = {"http": {}}
    return channel


def _channel(address: str, types: tuple[type, ...], description: str) -> dict[str, Any]:
    names = [part[1:-1] for part in address.replace("/", ".").split(".") if part.startswith("{")]
    return {
        "address": address,
        "description": description,
        "parameters": {name: {"description": f"The {name}."} for name in names},
        "messages": {type_.__name__: {"$ref": f"#/components/messages/{type_.__name__}"} for type_ in types},
    }


def _message(type_: type, name: str | None = None) -> dict[str, Any]:
    summary = (type_.__doc__ or "").strip().splitlines()[0]
    return {
        "name": name or type_.__name__,
        "summary": summary,
        "payload": {"$ref": REF.format(name=type_.__name__)},
    }


def _operation(name: str, action: str, channel: str, channels: dict[str, Any]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{message}"} for message in channels[channel]["messages"]]
    return {name: {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}}
