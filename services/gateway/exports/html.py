"""A document as one HTML file: numbered sources that every citation links to and that link back, for screen and print. Pure.

Nothing in it runs and nothing is fetched: no script, no image, no foreign style; its own policy says so to the browser. Every
word of the document goes through `escape`; the only markup is what is written here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Final

from services.gateway.exports.book import Book, Chapter, Source
from services.gateway.exports.prose import (
    Block,
    Break,
    Cite,
    Code,
    Grid,
    Heading,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Run,
    Text,
)

STYLE: Final = """
:root { color-scheme: light dark; --ink: light-dark(#1c1b1a, #eceae6); --muted: light-dark(#5f5b57, #a5a19b);
  --line: light-dark(#dedbd6, #3a3a3d); --accent: light-dark(#1f5fd0, #7fb0ff); --page: light-dark(#fbfaf8, #141416); }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; background: var(--page); color: var(--ink);
  font: 17px/28px Charter, Georgia, serif; overflow-wrap: anywhere; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; text-wrap: balance; break-after: avoid; }
h2 { margin-top: 2.5rem; }
a { color: var(--accent); }
sup { line-height: 0; }
sup a { padding: 0 .15em; text-decoration: none; font: 600 12px system-ui, sans-serif; }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: 8px; font-size: 14px; line-height: 20px; }
blockquote { margin: .5rem 0 .5rem 1rem; padding-left: 1rem; border-left: 2px solid var(--line); color: var(--muted); }
.table { overflow-x: auto; }
table { border-collapse: collapse; font: 14px/20px system-ui, sans-serif; }
th, td { padding: 6px 10px; border: 1px solid var(--line); text-align: left; vertical-align: top; }
thead { display: table-header-group; }
tfoot { display: table-row-group; font-weight: 600; }
tr { break-inside: avoid; }
.note { color: var(--muted); font-style: italic; }
.sources { padding-left: 2rem; font-size: 15px; line-height: 23px; }
.sources li { margin-bottom: 1rem; break-inside: avoid; }
.sources blockquote { white-space: pre-line; }
.sources mark { background: none; color: var(--ink); font-weight: 600; }
:target { outline: 2px solid var(--accent); outline-offset: 3px; }
@media print {
  @page { margin: 20mm 18mm; }
  :root { color-scheme: light; }
  body { max-width: none; margin: 0; padding: 0; font-size: 11pt; line-height: 1.45; }
  a { color: inherit; text-decoration: none; }
  .back { display: none; }
}
"""
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'"
)


def html(book: Book) -> str:
    """The whole file."""
    return _Page(book).page()


class _Page:
    """Counts the uses of each source, so that each can be linked to."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._uses: Counter[int] = Counter()

    def page(self) -> str:
        title, note = escape(self._book.title), self._book.note
        parts = [f"<h1>{title}</h1>", _note(note), *(self._chapter(chapter) for chapter in self._book.chapters)]
        if self._book.sources:  # Last: by now it is known how often each is cited.
            entries = "\n".join(self._source(source) for source in self._book.sources)
            parts.append(f'<section>\n<h2>Sources</h2>\n<ol class="sources">\n{entries}\n</ol>\n</section>')
        body = "\n".join(part for part in parts if part)
        return (
            '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
        )

    def _chapter(self, chapter: Chapter) -> str:
        blocks = self._blocks(chapter.blocks)
        return f"<section>\n<h2>{escape(chapter.heading)}</h2>\n{blocks}{_note(chapter.note)}\n</section>"

    def _source(self, source: Source) -> str:
        name = escape(source.name)
        if source.href:
            name = f'<a href="{escape(source.href)}" rel="noreferrer">{name}</a>'
        back = " ".join(
            f'<a class="back" href="#cite-{source.number}-{use}" aria-label="Back to where it is cited">↩</a>'
            for use in range(1, self._uses[source.number] + 1)
        )
        lost = "".join(
            f'<p class="note">Not found in the source: “{escape(quote.text)}”</p>'
            for quote in source.quotes
            if not quote.verified
        )
        said = _marked(source) if source.passage else "<br>".join(f"“{escape(q.text)}”" for q in source.quotes)
        quoted = f"<blockquote>{said}</blockquote>" if said else ""
        where = escape(source.where)
        return f'<li id="source-{source.number}" value="{source.number}">{name}, {where} {back}{quoted}{lost}</li>'

    def _blocks(self, blocks: Iterable[Block]) -> str:
        return "".join(f"{self._block(block)}\n" for block in blocks)

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(runs):
                return f"<p>{self._runs(runs)}</p>"
            case Heading(level, runs):
                under = min(level + 2, 6)  # The document's title is the first, a section's heading the second.
                return f"<h{under}>{self._runs(runs)}</h{under}>"
            case Listing(items, start):
                inner = "".join(f"<li>{self._item(item)}</li>\n" for item in items)
                return f"<ul>\n{inner}</ul>" if start is None else f'<ol start="{start}">\n{inner}</ol>'
            case Quote(blocks):
                return f"<blockquote>\n{self._blocks(blocks)}</blockquote>"
            case Code(text):
                return f"<pre><code>{escape(text)}</code></pre>"
            case Grid():
                return self._grid(block)
            case Rule():
                return "<hr>"

    def _item(self, blocks: tuple[Block, ...]) -> str:
        match blocks:
            case (Paragraph(runs),):
                return self._runs(runs)
            case _:
                return self._blocks(blocks)

    def _grid(self, grid: Grid) -> str:
        heads = "".join(f'<th scope="col">{self._runs(head)}</th>' for head in grid.heads)
        rows = "\n".join(f"<tr>{''.join(f'<td>{self._runs(cell)}</td>' for cell in row)}</tr>" for row in grid.rows)
        foot = ""
        if grid.foot is not None:
            first, *others = (self._runs(cell) for cell in grid.foot)
            cells = f'<th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}'
            foot = f"<tfoot><tr>{cells}</tr></tfoot>\n"
        return f'<div class="table"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n{foot}</table></div>'

    def _runs(self, runs: Iterable[Run]) -> str:
        return "".join(self._run(run) for run in runs)

    def _run(self, run: Run) -> str:
        match run:
            case Break():
                return "<br>"
            case Cite(source=source, passage=passage):
                number = self._book.numbers[source, passage]
                self._uses[number] += 1
                return f'<sup><a id="cite-{number}-{self._uses[number]}" href="#source-{number}">{number}</a></sup>'
            case Text():
                return _text(run)


def _text(run: Text) -> str:
    shown = escape(run.text)
    for is_so, tag in ((run.code, "code"), (run.struck, "s"), (run.italic, "em"), (run.bold, "strong")):
        shown = f"<{tag}>{shown}</{tag}>" if is_so else shown
    return f'<a href="{escape(run.href)}" rel="noreferrer">{shown}</a>' if run.href else shown


def _note(note: str) -> str:
    return f'<p class="note">{escape(note)}</p>' if note else ""


def _marked(source: Source) -> str:
    """The passage with what was quoted of it marked, where the words stand there as they were quoted."""
    words = ["\\s+".join(map(re.escape, quote.text.split())) for quote in source.quotes if quote.text.strip()]
    if not words:
        return escape(source.passage)
    pieces = re.split(f"({'|'.join(sorted(words, key=len, reverse=True))})", source.passage, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(piece)}</mark>" if at % 2 else escape(piece) for at, piece in enumerate(pieces))
