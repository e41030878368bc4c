"""One source from bytes to passages, or to a sentence that says why not. Pure."""

from __future__ import annotations

import msgspec

from schemas.cells import text_digest
from schemas.passages import Passages
from services.ingester.extract import extract
from services.ingester.limits import UnreadableError
from services.ingester.passages import PASSAGES_MAX, TooManyPassagesError, cut


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What to read."""

    source: str
    name: str
    media_type: str
    data: bytes


class Read(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What was in it."""

    passages: Passages


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Why it cannot be read: a sentence for the reader."""

    message: str


Outcome = Read | Unreadable


def read(given: Given) -> Outcome:
    """Extract the text of a source and cut it."""
    try:
        extracted = extract(given.data, given.media_type, given.name)
        passages = cut(extracted.text, extracted.blocks)
    except UnreadableError as error:
        return Unreadable(message=str(error))
    except TooManyPassagesError:
        return Unreadable(message=f"It falls into more than {PASSAGES_MAX:,} passages, which are the most.")
    return Read(
        passages=Passages(
            source=given.source,
            name=given.name,
            digest=text_digest(extracted.text),
            text=extracted.text,
            passages=passages,
            pages=extracted.pages,
        )
    )


encode_given = msgspec.msgpack.Encoder().encode
decode_given = msgspec.msgpack.Decoder(Given).decode
encode_outcome = msgspec.msgpack.Encoder().encode
decode_outcome = msgspec.msgpack.Decoder(Outcome).decode
