"""Sources as they are asked for, as text, upload or address, become bytes."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Sequence

import msgspec

from schemas.requests import SourceAsked
from schemas.values import SOURCE_BYTES_MAX, SourceGiven
from services.gateway.problems import FieldError, Problem
from services.gateway.uploads import Uploads
from services.shared.fetching.fetch import Fetcher, FetchError, checked

UNKNOWN = "application/octet-stream"


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """A source's bytes, and what is known of them."""

    given: SourceGiven
    data: bytes


class Intake:
    """Where bytes come from."""

    def __init__(self, uploads: Uploads, fetcher: Fetcher) -> None:
        self._uploads = uploads
        self._fetcher = fetcher

    async def take(self, id_: str, wanted: SourceAsked, pointer: str = "") -> Offered:
        """Problem 422 naming what is wrong below `pointer`."""
        name, media_type, url = wanted.name or "", "", ""
        data = (wanted.text or "").encode()
        if wanted.upload is not None:
            kept = await self._uploads.get(wanted.upload)
            if kept is None:
                raise _problem(pointer, "upload", "there is no such upload")
            name, data = wanted.name or kept[0], kept[1]
        if wanted.url is not None:
            try:
                fetched = await self._fetcher.fetch(wanted.url)
            except FetchError as error:
                raise _problem(pointer, "url", str(error)) from None
            assert fetched is not None  # noqa: S101 -- nothing was known of it
            name, media_type, url, data = wanted.name or wanted.url, fetched.media_type, wanted.url, fetched.data
        media_type = media_type or mimetypes.guess_type(name)[0] or ("text/plain" if wanted.text is not None else "")
        return Offered(
            given=SourceGiven(
                id=id_,
                name=name or f"Source {id_.removeprefix('s')}",
                media_type=media_type or UNKNOWN,
                size_bytes=len(data),
                digest=hashlib.sha256(data).hexdigest(),
                url=url,
            ),
            data=data,
        )


def problems_of(wanted: SourceAsked, pointer: str = "") -> Sequence[FieldError]:
    """What can be seen without asking anybody."""
    if wanted.text is not None and len(wanted.text.encode()) > SOURCE_BYTES_MAX:
        return [FieldError(f"{pointer}/text", f"A source may have {SOURCE_BYTES_MAX} bytes.")]
    if wanted.url is not None:
        try:
            checked(wanted.url)
        except FetchError as error:
            return [FieldError(f"{pointer}/url", str(error))]
    return []


def _problem(pointer: str, field: str, detail: str) -> Problem:
    return Problem(422, f"{pointer}/{field}: {detail}", [FieldError(f"{pointer}/{field}", detail)])
