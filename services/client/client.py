"""Scriptorium over HTTP, for programs: all that the page can do. The command line is built on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from typing import Self

import httpx2

from schemas.edit_requests import Estimated
from schemas.library import Card, Cards
from schemas.requests import (
    DemoAsked,
    Demos,
    DocumentAsked,
    DocumentMade,
    Health,
    ModelAsked,
    ModelsKnown,
    ModelTried,
    Template,
    TemplateAsked,
    Templates,
    UploadMade,
)
from schemas.watches import FoldersOffered
from services.client.document import DocumentClient, made_document
from services.client.edits import Author
from services.client.problems import Problem
from services.client.wire import Wire, segment

UNAVAILABLE = 503


class ScriptoriumClient:
    """One gateway. Every call raises Problem where it is refused, httpx2.HTTPError where nobody answers.

    `owner` is a secret of 32 to 86 letters and digits: documents made with it are in its list. Keep it, or leave it out and keep
    `client.owner`; it is no right to change a document, which is the document's key.
    """

    def __init__(self, address: str, *, owner: str | None = None, who: str = "") -> None:
        self.owner = owner or new_owner()
        self._author = Author(who=who)
        self._wire = Wire(address)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.close()

    def __repr__(self) -> str:
        """Without the owner's secret: it would stand in tracebacks and logs."""
        return f"ScriptoriumClient({self.address!r})"

    @property
    def address(self) -> str:
        """Where the gateway is."""
        return self._wire.address

    # -- Documents ------------------------------------------------------------------------------------------------------

    async def create(self, wanted: DocumentAsked, *, idempotency_key: str | None = None) -> DocumentClient:
        """Have a document written. The same `idempotency_key` with the same request is the same document, however often."""
        headers = self._owned | ({} if idempotency_key is None else {"Idempotency-Key": idempotency_key})
        made = await self._wire.ask(DocumentMade, "POST", "/api/documents", wanted, headers=headers)
        return made_document(self._wire, made, self._author, self.owner)

    async def estimate(self, wanted: DocumentAsked) -> Estimated:
        """What it would come to, before anything is spent."""
        return await self._wire.ask(Estimated, "POST", "/api/documents/estimate", wanted, headers=self._owned)

    async def upload(self, name: str, data: bytes) -> str:
        """Hand over a file of any kind; the answer goes into `SourceAsked.upload`, within an hour."""
        return (await self._wire.ask(UploadMade, "POST", "/api/uploads", data, query={"name": name})).upload

    def document(self, id_: str, key: str | None = None) -> DocumentClient:
        """One that is there already; without its key it can only be read. Asks nobody. ValueError for what is no id."""
        author = Author(key=key, who=self._author.who, cause=self._author.cause)
        return DocumentClient(self._wire, segment(id_), author=author, owner=self.owner)

    # -- The library ----------------------------------------------------------------------------------------------------

    async def list(self, query: str = "", *, limit: int | None = None, after: str | None = None) -> Cards:
        """A page of the owner's documents that have all words of the query, what changed last first."""
        asked = {"q": query or None, "limit": limit, "after": after}
        return await self._wire.ask(Cards, "GET", "/api/documents", query=asked, headers=self._owned)

    async def list_all(self, query: str = "") -> AsyncGenerator[Card]:
        """The same, page after page."""
        page = await self.list(query)
        while True:
            for card in page.documents:
                yield card
            if page.next is None:
                return
            page = await self.list(query, after=page.next)

    async def templates(self) -> tuple[Template, ...]:
        """Outlines to begin with: those that come along, and the owner's own."""
        return (await self._wire.ask(Templates, "GET", "/api/templates", headers=self._owned)).templates

    async def save_template(self, wanted: TemplateAsked) -> Template:
        """Keep an outline, or that of a document."""
        return await self._wire.ask(Template, "POST", "/api/templates", wanted, headers=self._owned)

    async def forget_template(self, id_: str) -> None:
        """Keep one of the owner's own no longer."""
        await self._wire.send("DELETE", f"/api/templates/{segment(id_)}", headers=self._owned)

    async def demos(self) -> Demos:
        """What may be had ready-made."""
        return await self._wire.ask(Demos, "GET", "/api/demo")

    async def create_demo(self, name: str) -> DocumentClient:
        """Have a ready-made document written."""
        made = await self._wire.ask(DocumentMade, "POST", "/api/demo", DemoAsked(name=name), headers=self._owned)
        return made_document(self._wire, made, self._author, self.owner)

    async def folders(self) -> tuple[str, ...]:
        """Names of the folders that a document may follow here."""
        return (await self._wire.ask(FoldersOffered, "GET", "/api/folders")).folders

    async def changed(self, token: str) -> None:
        """Say that what a watch looks at has changed. The token is the end of its webhook's address; no key is needed."""
        await self._wire.send("POST", f"/api/hooks/{segment(token)}")

    # -- The house ------------------------------------------------------------------------------------------------------

    async def models(self) -> ModelsKnown:
        """Models that may be asked: configured, or found at their providers."""
        return await self._wire.ask(ModelsKnown, "GET", "/api/models")

    async def try_model(self, model: str) -> ModelTried:
        """Ask one model, `provider/model`, for one word."""
        return await self._wire.ask(ModelTried, "POST", "/api/models/try", ModelAsked(model=model))

    async def alive(self) -> bool:
        """Whether a gateway answers."""
        try:
            return (await self._wire.ask(Health, "GET", "/healthz")).status == "ok"
        except (Problem, httpx2.HTTPError):
            return False

    async def ready(self) -> bool:
        """Whether a document could be written."""
        try:
            return (await self._wire.ask(Health, "GET", "/readyz")).status == "ready"
        except Problem as problem:
            if problem.status != UNAVAILABLE:
                raise
            return False

    @property
    def _owned(self) -> dict[str, str]:
        return {"Scriptorium-Owner": self.owner}


def new_owner() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(32)
