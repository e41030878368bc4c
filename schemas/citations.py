"""Citation markers in a cell's text: found, and checked against the passage that they name. Pure.

A marker is `[[source:passage "exact words"]]`, the quote optional. The page's twin is `web/src/lib/citations.ts`; both pass
`schemas/vectors/citations.json`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from schemas.values import Citation

QUOTE_CHARACTERS_MAX = 600

MARKER = re.compile(
    r"\[\[(?P<source>[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?):(?P<passage>[1-9][0-9]{0,6})"
    r'(?:\s+"(?P<quote>[^"\[\]]{0,600})")?\s*\]\]'
)

# Every proper beginning of a MARKER, and nothing else.
_UNFINISHED = re.compile(
    r"\[(?:\[(?:[a-z0-9][a-z0-9_-]{0,63}(?::(?:[1-9][0-9]{0,6}"
    r'(?:\s*\]?|\s+"[^"\[\]]{0,600}(?:"\s*\]?)?))?)?)?)?'
)

_TYPOGRAPHY = str.maketrans(
    dict.fromkeys('\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"', "'")  # quotation marks
    | dict.fromkeys("\u2010\u2011\u2013\u2014\u2212", "-")  # hyphens, dashes, minus
    | {"\u2026": "...", "\u00ad": "", "\u200b": ""}  # ellipsis, soft hyphen, zero-width space
    | {"*": "", "`": ""}  # Markdown's emphasis and code: a model quotes the words, not the marks
)

PassageText = Callable[[str, int], str | None]
"""(source, passage number) -> its text, None where there is no such passage."""


def folded(text: str) -> str:
    """White space, case of letters, typography and emphasis folded, so that a quote is found however it was set."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY).casefold().split())


def is_quoted(quote: str, passage: str) -> bool:
    """Whether the words of `quote` stand in `passage`. An empty quote stands nowhere."""
    words = folded(quote)
    return bool(words) and words in folded(passage)


def visible(text: str) -> str:
    """A text that is still being written, without a marker that has begun at its end and may yet become one.

    What can't become a marker any more stays: it is text that has two brackets in it.
    """
    at = text.rfind("[")
    if at < 0:
        return text
    if at > 0 and text[at - 1] == "[":
        at -= 1
    return text[:at] if _UNFINISHED.fullmatch(text, at) else text


def cited(text: str, passage_text: PassageText) -> tuple[Citation, ...]:
    """Every marker in a text, in order, each with whether its quote was found where it says."""
    citations: list[Citation] = []
    for match in MARKER.finditer(text):
        source, passage, quote = match["source"], int(match["passage"]), match["quote"] or ""
        found = passage_text(source, passage)
        citations.append(
            Citation(
                start=match.start(),
                end=match.end(),
                source=source,
                passage=passage,
                quote=quote,
                verified=found is not None and is_quoted(quote, found),
            )
        )
    return tuple(citations)
