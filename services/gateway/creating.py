"""Makes a document of a request: sources first, then the key's digest and the first fact, so that nothing half-made shows."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import mimetypes
from collections.abc import Collection, Sequence
from typing import NamedTuple

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from schemas import subjects
from schemas.events import DocumentCreated, encode
from schemas.outline import check_outline
from schemas.requests import DocumentAsked, SourceAsked
from schemas.streams import MESSAGE_BYTES_MAX
from schemas.values import SOURCE_BYTES_MAX, SourceGiven
from services.gateway.access import Access, new_id, new_key
from services.gateway.problems import FieldError, Problem
from services.gateway.uploads import Uploads
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append, read
from services.shared.sources import SourceStore

FACT_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024
"""The bus takes no longer message; its headers count."""
TITLE_CHARACTERS = 120
SECRET = "idempotency-secret"  # noqa: S105 -- the name of one, not one


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
        uploads: Uploads,
        idempotency: KeyValue,
        providers: Collection[str],
    ) -> None:
        self._bus = bus
        self._access = access
        self._store = store
        self._uploads = uploads
        self._idempotency = idempotency
        self._providers = providers

    async def create(self, wanted: DocumentAsked, body: bytes, idempotency_key: str | None = None) -> Made:
        """Problem 422 names what cannot be. The same `idempotency_key` with the same body is the same document."""
        _check(wanted, self._providers)
        made = Made(new_id(), new_key())
        if idempotency_key:
            made = await self._repeatable(idempotency_key, body)
            if await self._is_made(made.id):
                await self._access.grant(made.id, made.key)  # Whoever made it may have got no further.
                return made
        sources: list[SourceGiven] = []
        try:
            for number, source in enumerate(wanted.sources, 1):
                sources.append(await self._source(made.id, number, source))
            fact = DocumentCreated(
                at_ms=now_ms(),
                title=_title(wanted),
                brief=wanted.brief,
                policy=wanted.policy,
                sources=tuple(sources),
                outline=wanted.outline.sections if wanted.outline is not None else (),
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

    async def _undo(self, document: str, sources: Sequence[SourceGiven]) -> None:
        if await self._is_made(document):  # By another request with the same idempotency key.
            return
        await self._access.revoke(document)
        for source in sources:
            await self._store.delete(document, source.id)

    async def _is_made(self, document: str) -> bool:
        async for _ in read(self._bus.client, subjects.FACTS, subjects.facts_stored(document)):
            return True
        return False

    async def _source(self, document: str, number: int, wanted: SourceAsked) -> SourceGiven:
        id_ = f"s{number}"
        name, data = wanted.name or "", (wanted.text or "").encode()
        if wanted.upload is not None:
            kept = await self._uploads.get(wanted.upload)
            if kept is None:
                pointer = f"/sources/{number - 1}/upload"
                raise Problem(422, f"{pointer}: there is no such upload.", [FieldError(pointer, "no such upload")])
            name, data = wanted.name or kept[0], kept[1]
        media_type = mimetypes.guess_type(name)[0] or ("text/plain" if wanted.text is not None else "")
        await self._store.put_bytes(document, id_, data)
        return SourceGiven(
            id=id_,
            name=name or f"Source {number}",
            media_type=media_type or "application/octet-stream",
            size_bytes=len(data),
            digest=hashlib.sha256(data).hexdigest(),
        )

    async def _repeatable(self, idempotency_key: str, body: bytes) -> Made:
        """Id and key follow from the client's key and a secret of ours, so that neither has to be kept."""
        secret = await self._secret()
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

    async def _secret(self) -> bytes:
        bucket = await self._bus.js.key_value(subjects.ACCESS)
        try:
            return (await bucket.get(SECRET)).value or b""
        except KeyNotFoundError:
            with contextlib.suppress(KeyWrongLastSequenceError):  # Another gateway was first.
                await bucket.create(SECRET, new_key().encode())
            return (await bucket.get(SECRET)).value or b""


def _title(wanted: DocumentAsked) -> str:
    """Its own; else the planner gives it one, unless there is nothing to plan."""
    if wanted.title or wanted.outline is None:
        return wanted.title
    return wanted.brief.strip().splitlines()[0][:TITLE_CHARACTERS].strip()


def _check(wanted: DocumentAsked, providers: Collection[str]) -> None:
    errors: list[FieldError] = []
    if wanted.policy.model is not None and wanted.policy.model.partition("/")[0] not in providers:
        known = ", ".join(sorted(providers))
        errors.append(FieldError("/policy/model", f"A model is named provider/model; providers here: {known}."))
    for number, source in enumerate(wanted.sources):
        errors += _check_source(f"/sources/{number}", source)
    if wanted.outline is not None:
        errors += [
            FieldError(f"/outline/{problem.where}", problem.message)
            for problem in check_outline(wanted.outline.sections)
        ]
    if errors:
        raise Problem(422, f"{errors[0].pointer}: {errors[0].detail}", errors)


def _check_source(pointer: str, source: SourceAsked) -> Sequence[FieldError]:
    if source.url is not None:
        return [FieldError(f"{pointer}/url", "Sources by URL are not supported yet: give text, or upload the file.")]
    if source.text is not None and len(source.text.encode()) > SOURCE_BYTES_MAX:
        return [FieldError(f"{pointer}/text", f"A source may have {SOURCE_BYTES_MAX} bytes.")]
    return []
