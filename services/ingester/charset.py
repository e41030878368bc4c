"""Bytes of a text file to its text. Pure."""

from __future__ import annotations

import codecs

from services.ingester.limits import UnreadableError

SAMPLE_BYTES = 4_096


def decoded(data: bytes, declared: str | None = None) -> str:
    """Decode by byte order mark, as UTF-8, as `declared`, as UTF-16 without a mark, and at last as Windows' Latin letters.

    Raises UnreadableError when a byte order mark promises what does not follow, or zeros show that it is no text.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _whole(data, encoding)
    for encoding in (_utf16(data) or "utf-8", declared or "utf-8", "cp1252"):
        try:
            return _checked(data.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            continue
    return _checked(data.decode("latin-1"))  # Which has a letter for every byte.


def _utf16(data: bytes) -> str | None:
    """Which UTF-16 this is, told by where the zero bytes of its Latin characters, spaces and line ends stand."""
    sample = data[: SAMPLE_BYTES & ~1]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 5 < len(sample) // 2 or min(even, odd) * 10 > max(even, odd):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _whole(data: bytes, encoding: str) -> str:
    try:
        return _checked(data.decode(encoding))
    except UnicodeDecodeError as error:
        msg = f"It begins as {encoding.removesuffix('-sig').upper()} and is damaged after {error.start:,} bytes."
        raise UnreadableError(msg) from error


def _checked(text: str) -> str:
    if "\0" in text:
        raise UnreadableError("It is of an unknown binary kind; text, Markdown, HTML and PDF can be read.")
    return text
