"""A cell's Markdown as blocks and runs, which HTML and DOCX are made from. Pure.

No markup of the text's own survives: raw HTML is text, an image is a link to it, and a link leads to the web or nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from schemas.citations import MARKER, visible

# As in web/src/lib/markdown.ts: Markdown has no use for these brackets, and nobody types what is between them.
_OPEN, _CLOSE = "\u2045\ue000", "\ue000\u2046"
_CITED: Final = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_SAFE: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
# XML 1.0 has no way to say these (§2.2), and nobody sees them.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ue000\ufffe\uffff\ud800-\udfff]")


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """Words that are set alike; `href` is empty or an absolute address."""

    text: str
    bold: bool = False
    italic: bool = False
    struck: bool = False
    code: bool = False
    href: str = ""


class Cite(msgspec.Struct, frozen=True, kw_only=True):
    """A citation: where it stands there is its passage's number."""

    source: str
    passage: int


class Break(msgspec.Struct, frozen=True):
    """A line ends here."""


Run = Text | Cite | Break
Runs = tuple[Run, ...]


class Paragraph(msgspec.Struct, frozen=True):
    """Running text."""

    runs: Runs


class Heading(msgspec.Struct, frozen=True):
    """A heading within a section; `level` counts from 1."""

    level: int
    runs: Runs


class Listing(msgspec.Struct, frozen=True):
    """A list; `start` is its first number, None where it has none."""

    items: tuple[tuple[Block, ...], ...]
    start: int | None


class Quote(msgspec.Struct, frozen=True):
    """A quotation set apart."""

    blocks: tuple[Block, ...]


class Code(msgspec.Struct, frozen=True):
    """Lines to be shown as they are."""

    text: str


class Grid(msgspec.Struct, frozen=True):
    """A table; every row is as long as the first. `foot`: what its columns come to, where there is more to say than words."""

    heads: tuple[Runs, ...]
    rows: tuple[tuple[Runs, ...], ...]
    foot: tuple[Runs, ...] | None = None


class Rule(msgspec.Struct, frozen=True):
    """A line across the page."""


Block = Paragraph | Heading | Listing | Quote | Code | Grid | Rule

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def printable(text: str) -> str:
    """Without what no reader sees and XML cannot hold."""
    return _UNPRINTABLE.sub("", text)


def blocks_of(text: str) -> tuple[Block, ...]:
    """A whole text."""
    signed, markers = _signed(text)
    return tuple(_blocks(SyntaxTreeNode(_MARKDOWN.parse(signed)).children, markers))


def runs_of(text: str) -> Runs:
    """A text that has to fit on a line, such as a table's cell."""
    signed, markers = _signed(" ".join(text.split()))
    tree = SyntaxTreeNode(_MARKDOWN.parseInline(signed))
    return tuple(run for node in tree.children for run in _runs(node, Text(text=""), markers))


def plain(runs: Iterable[Run]) -> str:
    """The words alone."""
    return "".join(run.text if isinstance(run, Text) else "\n" if isinstance(run, Break) else "" for run in runs)


def _signed(text: str) -> tuple[str, list[str]]:
    """The text with a sign in each marker's place, so that nothing within a quote is read as Markdown; and the markers."""
    markers: list[str] = []

    def sign(match: re.Match[str]) -> str:
        markers.append(match[0])
        return f"{_OPEN}{len(markers) - 1}{_CLOSE}"

    return MARKER.sub(sign, visible(printable(text))), markers


def _blocks(nodes: Iterable[SyntaxTreeNode], markers: list[str]) -> Iterator[Block]:
    for node in nodes:
        match node.type:
            case "paragraph":
                yield Paragraph(_inline(node, markers))
            case "heading":
                yield Heading(int(node.tag[1:]), _inline(node, markers))
            case "bullet_list" | "ordered_list":
                start = None if node.type == "bullet_list" else int(node.attrs.get("start", 1))
                yield Listing(tuple(tuple(_blocks(item.children, markers)) for item in node.children), start)
            case "blockquote":
                yield Quote(tuple(_blocks(node.children, markers)))
            case "fence" | "code_block":
                yield Code(_unsigned(node.content, markers).rstrip("\n"))
            case "table":
                yield _grid(node, markers)
            case "hr":
                yield Rule()
            case _:
                yield Paragraph((Text(text=_unsigned(node.content, markers)),))


def _grid(table: SyntaxTreeNode, markers: list[str]) -> Grid:
    rows = [
        tuple(_inline(cell, markers) for cell in row.children) for group in table.children for row in group.children
    ]
    return Grid(rows[0], tuple(rows[1:]))


def _inline(node: SyntaxTreeNode, markers: list[str]) -> Runs:
    return tuple(run for child in node.children for run in _runs(child, Text(text=""), markers))


def _runs(node: SyntaxTreeNode, set_as: Text, markers: list[str]) -> Iterator[Run]:  # noqa: C901 -- one arm a kind of node
    change = msgspec.structs.replace
    match node.type:
        case "text":
            yield from _cited(node.content, set_as, markers)
            return
        case "code_inline":
            yield change(set_as, text=_unsigned(node.content, markers), code=True)
            return
        case "softbreak":
            yield change(set_as, text=" ")
            return
        case "hardbreak":
            yield Break()
            return
        case "image":
            yield change(set_as, text=_unsigned(node.content, markers), href=_safe(node.attrs.get("src")))
            return
        case "strong":
            set_as = change(set_as, bold=True)
        case "em":
            set_as = change(set_as, italic=True)
        case "s":
            set_as = change(set_as, struck=True)
        case "link":
            set_as = change(set_as, href=_safe(node.attrs.get("href")))
        case _:
            pass  # `inline`, which only holds others.
    for child in node.children:
        yield from _runs(child, set_as, markers)


def _cited(text: str, set_as: Text, markers: list[str]) -> Iterator[Run]:
    for number, piece in enumerate(_CITED.split(text)):
        marker = MARKER.fullmatch(markers[int(piece)]) if number % 2 else None
        if marker is not None:
            yield Cite(source=marker["source"], passage=int(marker["passage"]))
        elif piece:
            yield msgspec.structs.replace(set_as, text=piece)


def _unsigned(text: str, markers: list[str]) -> str:
    """With its markers written out again: in code, nothing is a citation."""
    return _CITED.sub(lambda match: markers[int(match[1])], text)


def _safe(address: object) -> str:
    return address if isinstance(address, str) and _SAFE.match(address) and not _CITED.search(address) else ""
