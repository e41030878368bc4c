"""Makes a document of a request: sources first, then the key's digest and the first fact, so that nothing half-made shows."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Sequence
from typing import NamedTuple

from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from schemas import subjects
from schemas.document import Document
from schemas.events import DocumentCreated, encode
from schemas.fold import created
from schemas.outline import check_outline
from schemas.outline_markdown import OutlineTextError, Read, read_outline
from schemas.requests import DocumentAsked, OutlineAsked, SourceAsked, Template
from schemas.streams import MESSAGE_BYTES_MAX
from schemas.values import SourceGiven
from services.gateway.access import Access, new_id, new_key
from services.gateway.intake import Intake, problems_of
from services.gateway.problems import FieldError, Problem
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append, read
from services.shared.sources import SourceStore

FACT_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024
"""The bus takes no longer message; its headers count."""
TITLE_CHARACTERS = 120
UNSEEN_BYTES = 20_000
"""Of a source that is estimated before anybody has looked at it."""


class Made(NamedTuple):
    """The right to read, and the right to change."""

    id: str
    key: str


class Creating:
    """What it takes to make one."""

    def __init__(  # noqa: PLR0913 -- the parts, by name
        self,
        *,
        bus: Bus,
        access: Access,
        store: SourceStore,
        intake: Intake,
        idempotency: KeyValue,
        providers: Collection[str],
    ) -> None:
        self._bus = bus
        self._access = access
        self._store = store
        self._intake = intake
        self._idempotency = idempotency
        self._providers = providers

    async def create(
        self, wanted: DocumentAsked, body: bytes, idempotency_key: str | None = None, template: Template | None = None
    ) -> Made:
        """Problem 422 names what cannot be. The same `idempotency_key` with the same body is the same document."""
        outline = outline_of(wanted.outline)
        if template is not None:
            outline = Read("" if wanted.title else template.name, template.sections)
        _check(wanted, outline, self._providers)
        made = Made(new_id(), new_key())
        if idempotency_key:
            made = await self._repeatable(idempotency_key, body)
            if await self._is_made(made.id):
                await self._access.grant(made.id, made.key)  # Whoever made it may have got no further.
                return made
        sources: list[SourceGiven] = []
        try:
            for number, source in enumerate(wanted.sources, 1):
                sources.append(await self.give(made.id, f"s{number}", source, f"/sources/{number - 1}"))
            fact = DocumentCreated(
                at_ms=now_ms(),
                title=_title(wanted, outline),
                brief=wanted.brief,
                policy=wanted.policy,
                sources=tuple(sources),
                outline=outline.sections,
            )
            if len(encode(fact)) > FACT_BYTES_MAX:
                raise Problem(413, f"Brief, outline and policy together may have {FACT_BYTES_MAX} bytes.")  # noqa: TRY301 -- what is half made goes
            await self._keep(made, fact)
        except ConflictError:
            return made  # Another request with this idempotency key was first.
        except BusUnavailableError:
            raise  # The log may have it: then it needs its sources and its key.
        except BaseException:
            await self._undo(made.id, sources)
            raise
        return made

    async def _keep(self, made: Made, fact: DocumentCreated) -> None:
        """Key and first fact, in one round trip; whoever asked is told of the document once both are there."""
        kept = await asyncio.gather(
            self._access.grant(made.id, made.key),
            append(self._bus, made.id, fact, expected=0),
            return_exceptions=True,  # Neither is left on its way while the other is undone.
        )
        for result in kept:
            if isinstance(result, BaseException):
                raise result

    async def copy(self, document: Document, title: str) -> Made:
        """A document like this one, with sources of its own, to be written anew."""
        made = Made(new_id(), new_key())
        sources = [source.given for source in document.sources.values()]
        try:
            for given in sources:
                data = await self._store.get_bytes(document.id, given.id, given.digest)
                await self._store.put_bytes(made.id, given.id, given.digest, data or b"")
            fact = DocumentCreated(
                at_ms=now_ms(),
                title=title or document.title,
                brief=document.brief,
                policy=document.policy,
                sources=tuple(sources),
                outline=document.outline,
            )
            await self._access.grant(made.id, made.key)
            await append(self._bus, made.id, fact, expected=0)
        except BusUnavailableError:
            raise
        except BaseException:
            await self._undo(made.id, sources)
            raise
        return made

    async def _undo(self, document: str, sources: Sequence[SourceGiven]) -> None:
        if await self._is_made(document):  # By another request with the same idempotency key.
            return
        await self._access.revoke(document)
        for source in sources:
            await self._store.delete(document, source.id, source.digest)

    async def _is_made(self, document: str) -> bool:
        async for _ in read(self._bus.client, subjects.FACTS, subjects.facts_stored(document)):
            return True
        return False

    async def give(self, document: str, id_: str, wanted: SourceAsked, pointer: str = "") -> SourceGiven:
        """Keep a source's bytes, beside those that it had. Problem 422 names what is wrong below `pointer`."""
        errors = problems_of(wanted, pointer)
        if errors:
            raise Problem(422, f"{errors[0].pointer}: {errors[0].detail}", errors)
        offered = await self._intake.take(id_, wanted, pointer)
        given = offered.given
        await self._store.put_bytes(document, given.id, given.digest, offered.data)
        return given

    async def _repeatable(self, idempotency_key: str, body: bytes) -> Made:
        """Id and key follow from the client's key and a secret of ours, so that neither has to be kept."""
        secret = await self._access.secret()
        name = hmac.new(secret, idempotency_key.encode(), hashlib.sha256).hexdigest()
        digest = hashlib.sha256(body).hexdigest().encode()
        try:
            await self._idempotency.create(name, digest)
        except KeyWrongLastSequenceError:
            entry = await self._idempotency.get(name)
            if entry.value != digest:
                raise Problem(422, "This Idempotency-Key was used with another body.") from None
        id_ = hmac.new(secret, f"id:{name}".encode(), hashlib.sha256).hexdigest()[:32]
        return Made(id_, hmac.new(secret, f"key:{name}".encode(), hashlib.sha256).hexdigest())


def imagined(wanted: DocumentAsked, providers: Collection[str], template: Template | None = None) -> Document:
    """The document that a request would make, for an estimate: nothing is kept. Problem 422 names what cannot be."""
    outline = outline_of(wanted.outline) if template is None else Read("", template.sections)
    _check(wanted, outline, providers)
    sources = tuple(
        SourceGiven(
            id=f"s{number}",
            name=source.name or "",
            media_type="text/plain",
            size_bytes=UNSEEN_BYTES if source.text is None else len(source.text.encode()),
            digest="",
        )
        for number, source in enumerate(wanted.sources, 1)
    )
    title = _title(wanted, outline)
    fact = DocumentCreated(
        at_ms=0, title=title, brief=wanted.brief, policy=wanted.policy, sources=sources, outline=outline.sections
    )
    return created("0" * 32, fact, 1)


def _title(wanted: DocumentAsked, outline: Read) -> str:
    """Its own; else the planner gives it one, unless there is nothing to plan."""
    if wanted.title or outline.title or not outline.sections:
        return wanted.title or outline.title
    return wanted.brief.strip().splitlines()[0][:TITLE_CHARACTERS].strip()


def outline_of(given: OutlineAsked | str | None) -> Read:
    """The reader's own, of whatever form; no sections where there is none. Problem 422."""
    match given:
        case None:
            return Read("", ())
        case str(text):
            try:
                return read_outline(text)
            except OutlineTextError as error:
                raise Problem(422, f"/outline: {error}", [FieldError("/outline", str(error))]) from None
        case OutlineAsked(sections=sections):
            return Read("", sections)


def _check(wanted: DocumentAsked, outline: Read, providers: Collection[str]) -> None:
    errors: list[FieldError] = []
    if wanted.policy.model is not None and wanted.policy.model.partition("/")[0] not in providers:
        known = ", ".join(sorted(providers))
        errors.append(FieldError("/policy/model", f"A model is named provider/model; providers here: {known}."))
    for number, source in enumerate(wanted.sources):
        errors += problems_of(source, f"/sources/{number}")
    if outline.sections:
        errors += [
            FieldError(f"/outline/{problem.where}", problem.message) for problem in check_outline(outline.sections)
        ]
    if errors:
        raise Problem(422, f"{errors[0].pointer}: {errors[0].detail}", errors)
