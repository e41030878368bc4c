"""The readable text of a web page, as Markdown: what surrounds it (menus, banners, footers) is left out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import trafilatura

from services.ingester.charset import decoded

HEAD_BYTES = 4_096
DECLARED: Final = re.compile(rb"<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
XML_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>")
INVISIBLE: Final = frozenset({"script", "style", "noscript", "template", "svg", "head", "iframe"})
INLINE: Final = frozenset(
    {"a", "abbr", "b", "bdi", "cite", "code", "dfn", "em", "i", "kbd", "mark", "q", "s", "samp", "small", "span"}
    | {"strong", "sub", "sup", "time", "u", "var", "wbr"}
)


def text_of_html(data: bytes) -> str:
    """Trafilatura's choice of what is the text; all of the page's text where it finds none.

    Raises UnreadableError when these bytes are no text at all.
    """
    declared = DECLARED.search(data[:HEAD_BYTES])
    page = decoded(data, declared[1].decode("ascii") if declared else None)
    page = XML_DECLARATION.sub("", page, count=1)  # lxml refuses one in text that is decoded already.
    found = trafilatura.extract(
        page,
        output_format="markdown",
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        include_links=False,
        favor_recall=True,
    )
    return found if found and found.strip() else _all_text(page)


def _all_text(page: str) -> str:
    reader = _Reader(convert_charrefs=True)
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Gathers what a browser would show, block by block."""

    def __init__(self, *, convert_charrefs: bool) -> None:
        super().__init__(convert_charrefs=convert_charrefs)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- HTMLParser's signature
        self._hidden += tag in INVISIBLE
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(self._hidden - (tag in INVISIBLE), 0)
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)

    def _break(self, tag: str) -> None:
        if tag not in INLINE:
            self.pieces.append("\n\n")
