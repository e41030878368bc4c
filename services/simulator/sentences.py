"""Sentences of a text that stand in running prose, with their exact spans; code, tables and link lists left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

FENCE: Final = re.compile(r"^\s{0,3}(```|~~~)")
NOT_PROSE: Final = re.compile(
    r"^\s*(?:#{1,6}\s|\||[-=*_]{3,}\s*$|!\[|<[^>]+>\s*$|\[[^\]]+\]:\s|(?:https?://|www\.)\S+\s*$|[\w./-]+\(|\$ |>>> )"
)
ITEM: Final = re.compile(r"^(\s*(?:[-*+•]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+)")
QUOTED: Final = re.compile(r"^\s*>\s?")
LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
REFERENCE: Final = re.compile(r"\s?\[\^?[\w,\s\u2013-]{1,12}\](?!\()")
TAG: Final = re.compile(r"<[^<>]{1,200}>")
EMPHASIS: Final = re.compile(r"\*{1,3}(?=\S)(.+?)(?<=\S)\*{1,3}|(?<!\w)_{1,2}(?=\S)(.+?)(?<=\S)_{1,2}(?!\w)")
TEXTS_MAX: Final = 1_024
SPACE: Final = re.compile(r"\s+")
END: Final = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s+|$)|[。！？]+")  # noqa: RUF001 -- sentences end so in Chinese
ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|vs|etc|al|approx|ca|no|nos|fig|figs|eq|sec|ch|vol|pp?|ed|eds|dr|mr|mrs|ms|prof|st|jr|sr|inc|ltd|co"
    r"|dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|u\.s|u\.k|[A-Z])\.$",
    re.IGNORECASE,
)


class Sentence(msgspec.Struct, frozen=True):
    """`text` is what stands from `start` to `end`, cleaned for reading; `raw` is it to the letter."""

    start: int
    end: int
    raw: str
    text: str
    block: int
    """Sentences of one paragraph or list item share this."""
    item: bool
    """It stands in a list."""
    ends: bool
    """It ends as a sentence does."""


def cleaned(raw: str) -> str:
    """What a reader reads: no links, emphasis, footnote numbers, tags; white space folded."""
    text = TAG.sub(" ", REFERENCE.sub("", LINK.sub(r"\1", raw)))
    text = EMPHASIS.sub(lambda match: match[1] or match[2], text)
    return SPACE.sub(" ", text.replace("[[", "[").replace("]]", "]")).strip()


def blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Spans of paragraphs and list items: start, end, whether it is an item."""
    start, end, item = -1, 0, False
    fenced, blank = False, True
    at = 0
    for line in text.splitlines(keepends=True):
        here, at = at, at + len(line)
        marker = ITEM.match(line)
        fence = FENCE.match(line) is not None
        # Four spaces after an empty line begin a code block, unless they indent a list item.
        coded = fenced or fence or (blank and marker is None and line.startswith(("    ", "\t")) and not item)
        dropped = coded or not line.strip() or NOT_PROSE.match(line) is not None
        if start >= 0 and (dropped or marker is not None):
            yield start, end, item
            start = -1
        if not dropped:
            if start < 0:
                lead = marker or QUOTED.match(line)
                start, item = here + (lead.end() if lead else 0), marker is not None
            end = at
        elif line.strip():
            item = False
        fenced ^= fence
        blank = not line.strip()
    if start >= 0:
        yield start, end, item


def split(text: str) -> Iterator[tuple[int, int, bool]]:
    """Spans of sentences within running prose: start, end, whether it ends with a stop."""
    start = 0
    for match in END.finditer(text):
        following = text[match.end() :].lstrip()[:1]
        if match[0].startswith(".") and (following.islower() or ABBREVIATION.search(text[start : match.start() + 1])):
            continue
        yield start, match.end(), True
        start = match.end()
    if text[start:].strip():
        yield start, len(text), False


@lru_cache(maxsize=TEXTS_MAX)
def sentences(text: str) -> tuple[Sentence, ...]:
    """All sentences of a text's prose, in order. Kept for a while: a document's sections quote the same passages."""
    found: list[Sentence] = []
    for number, (block, block_end, item) in enumerate(blocks(text)):
        for start, end, ends in split(text[block:block_end]):
            raw = text[block + start : block + end]
            lead = len(raw) - len(raw.lstrip())
            body = raw.strip()
            found.append(
                Sentence(
                    start=block + start + lead,
                    end=block + start + lead + len(body),
                    raw=body,
                    text=cleaned(body),
                    block=number,
                    item=item,
                    ends=ends,
                )
            )
    return tuple(found)
