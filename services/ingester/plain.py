"""The blocks of a plain text: paragraphs, and what looks like a heading. Pure."""

from __future__ import annotations

import re
from typing import Final

from services.ingester.passages import Block

HEADING_CHARACTERS_MAX = 100
PARAGRAPH: Final = re.compile(r"\S[^\r\n\f]*(?:(?:\r\n|\r|\n)[^\S\r\n\f]*\S[^\r\n\f]*)*")
"""Lines that are not blank, one below the other."""
NUMBERED: Final = re.compile(
    r"(?:(?:chapter|section|part|appendix)\s+)?(?:\d+|[A-Z]|[IVX]+)(?:\.\d+)*[.:]?\s+[^\W\d_]", re.IGNORECASE
)
RULE: Final = re.compile(r"[=\-~*_#^]{3,}")
LEADERS: Final = re.compile(r"\.{3,}|(?:\. ){3,}")


def blocks_of_text(text: str) -> tuple[Block, ...]:
    """Paragraphs as they stand between blank lines."""
    return tuple(_block(match) for match in PARAGRAPH.finditer(text))


def _block(match: re.Match[str]) -> Block:
    lines = match[0].splitlines()
    title = _title(lines)
    if title:
        return Block(match.start(), match.end(), "heading", title)
    # Text set in columns, and code, is cut at its lines; prose that was wrapped, at its sentences.
    aligned = sum("   " in line.strip() or line.startswith(("    ", "\t", "|")) for line in lines)
    return Block(match.start(), match.end(), "lines" if aligned * 2 > len(lines) else "prose")


def _title(lines: list[str]) -> str:
    """The words of a heading; empty where it is none."""
    first = lines[0].strip()
    underlined = len(lines) == 2 and RULE.fullmatch(lines[1].strip())  # noqa: PLR2004 -- a title and its rule
    if len(first) > HEADING_CHARACTERS_MAX or not (underlined or len(lines) == 1):
        return ""
    if LEADERS.search(first) or not any(letter.isalpha() for letter in first):
        return ""
    if underlined or (first[-1] not in ".,;:!?" and (NUMBERED.match(first) or (first.isupper() and len(first) > 3))):  # noqa: PLR2004
        return " ".join(first.split())
    return ""
