"""Whose documents there are. There are no accounts: an owner is whoever knows a secret, and is named by its digest.

The page's secret is a cookie that is made with its first document; programs bring one of their own. What an owner may do is see
a list: reading a document takes its id, changing it its key, as for everybody. See docs/adr/0007-owners-without-accounts.md.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue
from starlette.requests import Request
from starlette.responses import Response

from schemas import library, subjects
from schemas.library import Card
from schemas.requests import Template
from services.gateway.access import SAME_SITE, new_id
from services.gateway.problems import FieldError, Problem
from services.gateway.templates import decode, encode, shipped
from services.shared.bus import Bus
from services.shared.log import read

COOKIE = "scriptorium-owner"
HEADER = "scriptorium-owner"
COOKIE_S = 365 * 24 * 3_600
TEMPLATES_MAX = 500
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,86}")


class Library:
    """Two buckets: what belongs to whom, and what the conductor shows of each document."""

    def __init__(self, bus: Bus, documents: KeyValue, templates: KeyValue) -> None:
        self._bus = bus
        self._documents = documents
        self._templates = templates

    @classmethod
    async def open(cls, bus: Bus) -> Library:
        """Needs the buckets to be there."""
        documents, templates = subjects.DOCUMENTS, subjects.TEMPLATES
        return cls(bus, await bus.js.key_value(documents), await bus.js.key_value(templates))

    # -- Documents ------------------------------------------------------------------------------------------------------

    async def own(self, owner: str, document: str) -> None:
        """It is in this owner's list from now on."""
        await self._documents.put(subjects.owned_key(owner, document), b"1")

    async def cards(self, owner: str) -> list[Card]:
        """Everything of one owner's. A document that was just made has no card yet: it is there a moment later."""
        owned = subjects.kv(subjects.DOCUMENTS, subjects.owned_key(owner, "*"))
        cards: list[Card] = []
        async for stored in read(self._bus.client, f"KV_{subjects.DOCUMENTS}", owned):
            if stored.data:  # Else it was deleted.
                document = stored.subject.rsplit(".", 1)[1]
                try:
                    entry = await self._documents.get(subjects.card_key(document))
                except KeyNotFoundError:
                    continue
                cards.append(library.decode(entry.value or b""))
        return cards

    # -- Templates ------------------------------------------------------------------------------------------------------

    async def templates(self, owner: str | None) -> list[Template]:
        """Those that come with Scriptorium, and the owner's own."""
        own: list[Template] = []
        if owner is not None:
            kept = subjects.kv(subjects.TEMPLATES, subjects.template_key(owner, "*"))
            found = read(self._bus.client, f"KV_{subjects.TEMPLATES}", kept)
            own = [decode(stored.data) async for stored in found if stored.data]
        return [*shipped(), *own]

    async def template(self, owner: str | None, id_: str) -> Template:
        """One of them. Problem 422 where there is none of that name."""
        for template in await self.templates(owner):
            if template.id == id_:
                return template
        raise Problem(422, f"/template: there is no template {id_!r}.", [FieldError("/template", "no such template")])

    async def save(self, owner: str, template: Template) -> None:
        """Keep a template; one of the same id is replaced. Problem 422 where there are too many."""
        if len(await self.templates(owner)) >= TEMPLATES_MAX:
            detail = f"At most {TEMPLATES_MAX} templates are kept."
            raise Problem(422, detail)
        await self._templates.put(subjects.template_key(owner, template.id), encode(template))

    async def forget(self, owner: str | None, id_: str) -> None:
        """Keep a template no longer. Problem 404 where it is none of the owner's."""
        own = [template for template in await self.templates(owner) if template.is_own and template.id == id_]
        if owner is None or not own:
            raise Problem(404, "There is no such template of yours.")
        await self._templates.purge(subjects.template_key(owner, id_))


def owner_of(request: Request) -> str | None:
    """Who asks; None where nobody says. Problem 400 for what cannot be a secret, 403 for a cookie that another site sent."""
    secret = _presented(request)
    return None if secret is None else _named(secret)


def recognised(request: Request, response: Response, *, secure: bool) -> str:
    """Who asks, for something that will be theirs: where nobody says, a new secret goes with the response."""
    secret = _presented(request)
    if secret is None:
        secret = secrets.token_urlsafe(32)
        response.set_cookie(COOKIE, secret, COOKIE_S, path="/api", httponly=True, samesite="strict", secure=secure)
    return _named(secret)


def new_template_id() -> str:
    """Nobody's name for anything else."""
    return new_id()


def _presented(request: Request) -> str | None:
    told = request.headers.get(HEADER)
    if told is not None and not _SECRET.fullmatch(told):
        raise Problem(
            400, "Scriptorium-Owner is 32 to 86 letters, digits, hyphens or underscores, which nobody can guess."
        )
    cookie = request.cookies.get(COOKIE)
    if told is None and cookie is not None and request.headers.get("sec-fetch-site", "same-origin") not in SAME_SITE:
        raise Problem(403, "A cookie counts only on this site's own pages.")
    return told or (cookie if cookie is not None and _SECRET.fullmatch(cookie) else None)


def _named(secret: str) -> str:
    return hashlib.sha256(b"owner:" + secret.encode()).hexdigest()[:32]
