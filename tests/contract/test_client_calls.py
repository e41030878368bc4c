"""The client has every call of the HTTP face, and says nothing that the face does not understand."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx2
import msgspec
import pytest

from schemas.operations import ActOnProcess, TurnDials
from schemas.requests import DocumentAsked, SourceAsked, TemplateAsked
from schemas.values import Column, Section
from schemas.watches import WatchAsked
from scriptorium import Conflict, DocumentClient, Edits, Problem, ScriptoriumClient
from services.client.problems import problem_of
from services.gateway.openapi import CALLS, Call

ID, KEY, OWNER = "d" * 32, "the-key", "o" * 43
NOT_FOR_PROGRAMS = {("get", "/metrics"), ("get", "/openapi.json"), ("get", "/asyncapi.json")}
MORE_WITH_A_KEY = {("get", "/api/documents/{id}/key"), ("get", "/api/documents/{id}/watches")}
"""They need none, and say more where one is shown."""
SECTION, COLUMN = Section(id="a", heading="A"), Column(id="q", heading="Q")
SOURCE = SourceAsked(name="s", text="t")

Doing = Callable[[Any], Awaitable[Any]]


async def _all(items: AsyncIterator[object]) -> None:
    async for _ in items:
        pass


OF_GATEWAY: dict[str, Callable[[ScriptoriumClient], Awaitable[Any]]] = {
    "create": lambda c: c.create(DocumentAsked(brief="B"), idempotency_key="once"),
    "estimate": lambda c: c.estimate(DocumentAsked(brief="B")),
    "upload": lambda c: c.upload("ä b.md", b"bytes"),
    "list": lambda c: c.list("two words", limit=3, after="x"),
    "list_all": lambda c: _all(c.list_all()),
    "templates": lambda c: c.templates(),
    "save_template": lambda c: c.save_template(TemplateAsked(name="N", document=ID)),
    "forget_template": lambda c: c.forget_template("t"),
    "demos": lambda c: c.demos(),
    "create_demo": lambda c: c.create_demo("case-study"),
    "folders": lambda c: c.folders(),
    "changed": lambda c: c.changed("0" * 64),
    "models": lambda c: c.models(),
    "try_model": lambda c: c.try_model("p/m"),
    "alive": lambda c: c.alive(),
    "ready": lambda c: c.ready(),
}
OF_DOCUMENT: dict[str, Callable[[DocumentClient], Awaitable[Any]]] = {
    "get": lambda d: d.get(at=4),
    "export": lambda d: d.export("csv", section="a"),
    "passages": lambda d: d.passages("s1"),
    "passage": lambda d: d.passage("s1", 2),
    "events": lambda d: _all(d.events("1-2-3")),
    "watch": lambda d: _all(d.watch()),
    "rest": lambda d: d.rest(),
    "history": lambda d: d.history(),
    "compare": lambda d: d.compare(1, 2),
    "log": lambda d: _all(d.log(after=1, limit=2)),
    "estimate": lambda d: d.estimate([SECTION]),
    "watches": lambda d: d.watches(),
    "add_watch": lambda d: d.add_watch(WatchAsked(url="https://example.org/")),
    "end_watch": lambda d: d.end_watch("w"),
    "may_change": lambda d: d.may_change(),
    "take": lambda d: d.take(),
    "share": lambda d: d.share(),
    "take_back": lambda d: d.take_back(),
    "stop": lambda d: d.stop(),
    "stop_cell": lambda d: d.stop_cell("a:s1:q"),
    "resume": lambda d: d.resume(),
    "delete": lambda d: d.delete(),
    "duplicate": lambda d: d.duplicate("T"),
    "operations": lambda d: _all(d.operations("7")),
    "dials": lambda d: d.dials(),
    "turn_dials": lambda d: d.turn_dials(TurnDials(dials={"faults": 0.1})),
    "processes": lambda d: d.processes(),
    "act": lambda d: d.act(ActOnProcess(process="writer-1", action="kill")),
}
EDITS: dict[str, Callable[[Edits[Any]], Awaitable[Any]]] = {
    "edit": lambda e: e.edit(title="T", policy={"budget": 1.0}, if_match=3),
    "update": lambda e: e.update(["a"], if_match=3),
    "restore": lambda e: e.restore(1, if_match=3),
    "put_outline": lambda e: e.put_outline([SECTION], if_match=3),
    "add_section": lambda e: e.add_section(SECTION, after=None, if_match=3),
    "change_section": lambda e: e.change_section("a", depends_on=["b"], columns=[COLUMN], if_match=3),
    "put_section": lambda e: e.put_section(SECTION, if_match=3),
    "remove_section": lambda e: e.remove_section("a", if_match=3),
    "put_column": lambda e: e.put_column("a", COLUMN, if_match=3),
    "remove_column": lambda e: e.remove_column("a", "q", if_match=3),
    "write_cell": lambda e: e.write_cell("a:s1:q", "text", if_match=3),
    "rewrite": lambda e: e.rewrite("a", model="p/m", if_match=3),
    "accept": lambda e: e.accept("a", revision=2, if_match=3),
    "decline": lambda e: e.decline("a", if_match=3),
    "lock": lambda e: e.lock("a", if_match=3),
    "unlock": lambda e: e.unlock("a", if_match=3),
    "add_source": lambda e: e.add_source(SOURCE, before="s1", if_match=3),
    "replace_source": lambda e: e.replace_source("s1", SOURCE, if_match=3),
    "remove_source": lambda e: e.remove_source("s1", if_match=3),
}


class Listening:
    """A client whose requests go nowhere, and are kept."""

    def __init__(self) -> None:
        self.heard: list[httpx2.Request] = []
        deaf = partial(httpx2.AsyncClient, transport=httpx2.MockTransport(self._answer))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("services.client.wire.httpx2.AsyncClient", deaf)
            self.client = ScriptoriumClient("http://gateway", owner=OWNER, who="Zoë")

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.heard.append(request)
        return httpx2.Response(422, json={"title": "No", "status": 422, "detail": "No"})

    async def to(self, doing: Doing, whom: object) -> httpx2.Request:
        """What one call sends."""
        with contextlib.suppress(Problem):
            await doing(whom)
        return self.heard.pop()


def _call(request: httpx2.Request) -> Call:
    """The one of the table that is meant; the more exact path first."""
    path = request.url.raw_path.decode().partition("?")[0]
    for call in sorted(CALLS, key=lambda one: one.path.count("{")):
        pattern = re.sub(r"\{\w+\}", r"[^/]+", call.path)
        if request.method.lower() == call.method and re.fullmatch(pattern, path):
            return call
    msg = f"{request.method} {path} is no call"
    raise AssertionError(msg)


def _understood(request: httpx2.Request) -> Call:
    call = _call(request)
    assert set(request.url.params) <= set(call.query), call
    assert {name for name in ("if-match", "scriptorium-owner", "last-event-id") if name in request.headers} <= {
        name.lower() for name in call.headers
    }, call
    shows_key = call.needs_key or (call.method, call.path) in MORE_WITH_A_KEY
    assert request.headers.get("authorization") == (f"Bearer {KEY}" if shows_key else None), call
    body = request.content
    if isinstance(call.takes, type):
        msgspec.json.decode(body, type=call.takes)
        assert request.headers["content-type"] == "application/json"
    else:
        assert bool(body) == (call.takes is not None)
    return call


async def test_every_call_of_the_face_is_a_method_of_the_client() -> None:
    listening = Listening()
    document = listening.client.document(ID, KEY)
    said: set[tuple[str, str]] = set()
    for doings, whom in ((OF_GATEWAY, listening.client), (OF_DOCUMENT, document), (EDITS, document)):
        for doing in doings.values():
            try:
                request = await listening.to(doing, whom)
            except Problem as problem:
                raise AssertionError(doing) from problem
            call = _understood(request)
            said.add((call.method, call.path))
    assert said == {(call.method, call.path) for call in CALLS} - NOT_FOR_PROGRAMS


async def test_a_refusal_says_what_and_where_and_one_of_an_outdated_edit_what_changed() -> None:
    refused = Problem(
        422, b'{"title": "Not valid", "status": 422, "detail": "/a: no", "errors": [{"pointer": "/a", "detail": "no"}]}'
    )
    assert (str(refused), refused.errors[0].pointer) == ("/a: no", "/a")
    assert str(Problem(502, b"<html>")) == "HTTP 502"
    change = {
        "sequence": 8,
        "at_ms": 1,
        "type": "CellEdited",
        "cause": "reader",
        "who": "Ada",
        "what": ["a"],
        "cells": [],
    }
    moved = {"title": "T", "status": 412, "detail": "D", "version": 8, "current": {"text": "x"}, "changes": [change]}
    conflict = problem_of(412, msgspec.json.encode(moved))
    assert isinstance(conflict, Conflict)
    assert (conflict.version, conflict.current, conflict.changes[0].who) == (8, {"text": "x"}, "Ada")


async def test_each_edit_is_previewed_by_its_twin() -> None:
    listening = Listening()
    document = listening.client.document(ID, KEY)
    for name, doing in EDITS.items():
        made, previewed = await listening.to(doing, document), await listening.to(doing, document.preview)
        assert "preview" not in made.url.params, name
        assert previewed.url.params["preview"] == "true", name
        assert (made.method, made.content, made.url.path) == (previewed.method, previewed.content, previewed.url.path)
        assert made.headers["if-match"] == '"3"', name
        assert made.headers.raw is not None
        assert (b"Scriptorium-Who", "Zoë".encode()) in made.headers.raw


def test_no_method_is_left_out_of_these_tests() -> None:
    def public(type_: type) -> set[str]:
        return {name for name, value in vars(type_).items() if not name.startswith("_") and callable(value)}

    assert public(ScriptoriumClient) - {"document"} == set(OF_GATEWAY)
    assert public(DocumentClient) == set(OF_DOCUMENT)
    assert public(Edits) == set(EDITS)


@pytest.mark.parametrize("id_", ["", ".", ".."])
async def test_an_id_never_leads_to_another_address(id_: str) -> None:
    client = Listening().client
    with pytest.raises(ValueError, match="is no id"):
        client.document(id_)
    with pytest.raises(ValueError, match="is no id"):
        await client.document(ID, KEY).remove_section(id_)


async def test_an_id_is_one_part_of_the_path_whatever_it_holds() -> None:
    listening = Listening()
    request = await listening.to(lambda d: d.lock("../a?b#c/ä"), listening.client.document(ID, KEY))
    path = request.url.raw_path.decode()
    assert path.count("/") == len(f"/api/documents/{ID}/cells/x/lock".split("/")) - 1
    assert unquote(path.split("/")[5]) == "../a?b#c/ä"


def test_no_secret_stands_in_a_representation() -> None:
    client = Listening().client
    document = client.document(ID, KEY)
    said = repr([client, document, vars(document.preview)])
    assert KEY not in said
    assert OWNER not in said
