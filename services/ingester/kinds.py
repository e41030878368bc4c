"""What kind of source some bytes are: told by the bytes first, then by the media type and the name that came with them."""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal

from services.ingester.limits import UnreadableError

SourceKind = Literal["text", "markdown", "html", "pdf"]

HEAD_BYTES = 4_096
SIMPLE_BYTES_MAX = 256 * 1024
PDF_WITHIN_BYTES = 1_024
"""Readers accept that much before `%PDF-` (ISO 32000-1, implementation note 13)."""
CONTROLS_SHARE_MAX = 0.02
LOOKS_LIKE_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
MARKDOWN_NAMES: Final = (".md", ".markdown", ".mdown", ".mkd")
HTML_NAMES: Final = (".html", ".htm", ".xhtml")
HTML_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
MARKDOWN_TYPES: Final = frozenset({"text/markdown", "text/x-markdown"})
BINARIES: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a sound, a film or an image"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
BOMS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def kind_of(data: bytes, media_type: str, name: str) -> SourceKind:
    """Which reader these bytes need. Raises UnreadableError where there is none."""
    if not data.strip():
        raise UnreadableError("It is empty.")
    type_ = media_type.partition(";")[0].strip().lower()
    lower = name.lower()
    if b"%PDF-" in data[:PDF_WITHIN_BYTES]:
        return "pdf"
    if type_ == "application/pdf" or (lower.endswith(".pdf") and not type_.startswith("text/")):
        raise UnreadableError("It is called a PDF, and is none or is damaged at its beginning.")
    _refuse_binary(data)
    if type_ in HTML_TYPES or lower.endswith(HTML_NAMES) or LOOKS_LIKE_HTML.match(data[:HEAD_BYTES]):
        return "html"
    if type_ in MARKDOWN_TYPES or lower.endswith(MARKDOWN_NAMES):
        return "markdown"
    return "text"


def _refuse_binary(data: bytes) -> None:
    for magic, what in BINARIES:
        if data.startswith(magic):
            msg = f"It is {what}; text, Markdown, HTML and PDF can be read."
            raise UnreadableError(msg)
    if data.startswith(BOMS):
        return
    head = data[:HEAD_BYTES]
    if head.count(0) * 4 >= len(head):  # UTF-16 without its mark: every second byte of plain text is zero.
        return
    controls = sum(byte < 0x20 and byte not in b"\t\n\r\f\v\x1b" for byte in head)  # noqa: PLR2004 -- the first printable character
    if controls > len(head) * CONTROLS_SHARE_MAX:
        raise UnreadableError("It is of an unknown binary kind; text, Markdown, HTML and PDF can be read.")


def is_simple(data: bytes, media_type: str, name: str) -> bool:
    """Whether no parser in C and no long work is needed, so that it may be read within the service itself."""
    if len(data) > SIMPLE_BYTES_MAX:
        return False
    try:
        return kind_of(data, media_type, name) in {"text", "markdown"}
    except UnreadableError:
        return True  # Which takes no time to say.
