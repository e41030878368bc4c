"""A source's bytes to its text and the blocks in it. Pure: runs in a process of its own where a parser is not to be trusted.

Passages, citations and their highlights all refer to the text that is made here.
"""

from __future__ import annotations

import msgspec

from services.ingester.kinds import SourceKind, kind_of
from services.ingester.limits import CHARACTERS_MAX, UnreadableError
from services.ingester.passages import Block


class Extracted(msgspec.Struct, frozen=True, kw_only=True):
    """A text, what it is made of, and how many pages it had."""

    text: str
    blocks: tuple[Block, ...] = ()
    pages: int = 0


def extract(data: bytes, media_type: str, name: str) -> Extracted:
    """The text of a source.

    Raises UnreadableError, with a sentence for the reader, when it is empty, damaged, encrypted, too large, or of no kind
    that is read here.
    """
    extracted = _extracted(data, kind_of(data, media_type, name))
    if not extracted.text.strip():
        raise UnreadableError("There is no text in it.")
    if len(extracted.text) > CHARACTERS_MAX:
        msg = f"It has {len(extracted.text):,} characters; {CHARACTERS_MAX:,} are the most."
        raise UnreadableError(msg)
    return extracted


def _extracted(data: bytes, kind: SourceKind) -> Extracted:
    # Imported where they are used: a text source does not wait for a PDF library to load.
    match kind:
        case "text":
            from services.ingester.charset import decoded  # noqa: PLC0415
            from services.ingester.plain import blocks_of_text  # noqa: PLC0415

            text = decoded(data)
            return Extracted(text=text, blocks=blocks_of_text(text))
        case "markdown":
            from services.ingester.charset import decoded  # noqa: PLC0415
            from services.ingester.markdown import blocks_of_markdown  # noqa: PLC0415

            text = decoded(data)
            return Extracted(text=text, blocks=blocks_of_markdown(text))
        case "html":
            from services.ingester.html import text_of_html  # noqa: PLC0415
            from services.ingester.markdown import blocks_of_markdown  # noqa: PLC0415

            text = text_of_html(data)
            return Extracted(text=text, blocks=blocks_of_markdown(text))
        case "pdf":
            from services.ingester.pdf import text_of_pdf  # noqa: PLC0415

            text, blocks, pages = text_of_pdf(data)
            return Extracted(text=text, blocks=blocks, pages=pages)
