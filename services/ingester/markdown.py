"""The blocks of a Markdown text, as CommonMark sees them. The text itself stays as it is. Pure."""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from services.ingester.passages import Block, Kind

NESTING_MAX = 50
TITLE_CHARACTERS_MAX = 300
LINE: Final = re.compile(r"\r\n|\r|\n")
FRONT_MATTER: Final = re.compile(r"---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
LINK: Final = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
MARKUP: Final = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|<[^>]*>")

# Only the block structure is asked for: what stands inside a paragraph is text here.
_PARSER: Final = MarkdownIt("commonmark", {"maxNesting": NESTING_MAX}).enable("table")
_PARSER.core.ruler.enableOnly(["normalize", "block"])

_LINES: Final = frozenset({"fence", "code_block", "table_open", "html_block"})
_LISTS: Final = frozenset({"bullet_list_open", "ordered_list_open"})


def blocks_of_markdown(text: str) -> tuple[Block, ...]:
    """Headings, paragraphs, items of lists, tables, code, in order and without overlap."""
    front = FRONT_MATTER.match(text)
    after = front.end() if front else 0
    blocks = [Block(0, after, "lines")] if front else []
    starts = [after, *(match.end() for match in LINE.finditer(text, after)), len(text)]
    tokens = _PARSER.parse(text[after:])
    for number, token in enumerate(tokens):
        if token.map is None or not _wanted(token):
            continue
        first, last = token.map
        start, end = starts[first], starts[min(last, len(starts) - 1)]
        if token.type == "heading_open":
            blocks.append(Block(start, end, "heading", title_of(tokens[number + 1].content)))
        else:
            blocks.append(Block(start, end, _kind(token)))
    return tuple(blocks)


def title_of(markup: str) -> str:
    """A heading's words without their markup."""
    return " ".join(MARKUP.sub("", LINK.sub(r"\1", markup[:TITLE_CHARACTERS_MAX])).split())


def _wanted(token: Token) -> bool:
    """Each block at the top level, except that a list is its items."""
    if token.level == 0:
        return token.nesting >= 0 and token.type not in _LISTS
    return token.level == 1 and token.type == "list_item_open"


def _kind(token: Token) -> Kind:
    return "lines" if token.type in _LINES else "prose"
