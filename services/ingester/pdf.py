"""The text of a PDF, page by page, with paragraphs put together again from lines. The page numbers are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

import pypdfium2
import pypdfium2.raw as pdfium_c

from services.ingester.limits import CHARACTERS_MAX, PAGES_MAX, UnreadableError
from services.ingester.passages import Block

RUNNING_PAGES_MIN = 4
"""What stands at the top, or at the bottom, of so many pages is a running title and left out."""
RUNNING_LINES_MAX = 3
"""At each end of a page."""
FULL_LINE_SHARE = 0.75
"""Of the page's usual line: below it a line was ended on purpose, and with a sentence it ends its paragraph."""
HEADING_CHARACTERS_MAX = 120

# PDFium writes a hyphen that ends a line as U+0002 or U+FFFE, and joins the line below to it.
HYPHEN: Final = re.compile("[\u0002\ufffe\u00ad](?:\r\n|\n)?")
WORD_BROKEN: Final = re.compile(r"[^\W\d_][-\u2010]\Z")
SENTENCE_OVER: Final = re.compile(r"[.!?:;…][\"'”’)\]]*\Z")  # noqa: RUF001 -- a closing quotation mark
LISTED: Final = re.compile(r"(?:[•‣▪–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")  # noqa: RUF001 -- a dash before an item
NUMBERED: Final = re.compile(
    r"(?:(?:Chapter|Section|Appendix|Part)\s+)?(?:\d{1,3}|[A-Z])(?:\.\d{1,3}){0,5}\.?\s+[A-Z]\S*(?:\s+\S+){0,11}\Z"
)
LEADERS: Final = re.compile(r"(?:\.\s?){4,}")
NUMBERS: Final = re.compile(r"\d+|\b[ivxlc]+\b")
UNSEEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def text_of_pdf(data: bytes) -> tuple[str, tuple[Block, ...], int]:
    """Text, its blocks with their pages, and how many pages there are.

    Raises UnreadableError when it is encrypted, damaged or too long.
    """
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium_c.FPDF_ERR_PASSWORD:
            raise UnreadableError("It is encrypted, and its password is not known.") from error
        raise UnreadableError("It is a damaged PDF.") from error
    try:
        if len(pdf) > PAGES_MAX:
            msg = f"It has {len(pdf):,} pages; {PAGES_MAX:,} are the most."
            raise UnreadableError(msg)
        titles = _titles(pdf)
        pages = [*_lines_of_pages(pdf)]
    except pypdfium2.PdfiumError as error:
        raise UnreadableError("It is a damaged PDF.") from error
    finally:
        pdf.close()
    if not any(pages):
        raise UnreadableError("Its pages hold pictures and no text; a scan needs character recognition first.")
    text, blocks = assembled(without_running_titles(pages), titles)
    return text, blocks, len(pages)


def _titles(pdf: pypdfium2.PdfDocument) -> frozenset[tuple[int, str]]:
    """The bookmarks: page index and words."""
    found: set[tuple[int, str]] = set()
    for bookmark in cast("Iterable[pypdfium2.PdfBookmark]", pdf.get_toc()):
        destination = bookmark.get_dest()
        index = cast("int | None", None if destination is None else destination.get_index())
        if index is not None:
            found.add((index, _words(bookmark.get_title())))
    return frozenset(found)


def _lines_of_pages(pdf: pypdfium2.PdfDocument) -> Iterator[list[str]]:
    characters = 0
    for number in range(len(pdf)):
        page = pdf[number]
        textpage = page.get_textpage()
        text = HYPHEN.sub("\u00ad", textpage.get_text_range())
        textpage.close()
        page.close()
        characters += len(text)
        if characters > CHARACTERS_MAX:
            msg = f"It has more than {CHARACTERS_MAX:,} characters, which are the most."
            raise UnreadableError(msg)
        lines = (" ".join(UNSEEN.sub(" ", line).split()) for line in text.splitlines())
        yield [line for line in lines if line]


def without_running_titles(pages: Sequence[list[str]]) -> list[list[str]]:
    """The pages without the lines that stand at the top or bottom of several of them, numbers aside."""
    left = _without_outermost(pages, 1)
    for _ in range(
        1, RUNNING_LINES_MAX
    ):  # A browser prints two at the bottom: date and title, address and page number.
        left = _without_outermost(left, 2)  # The last line that is left is the page itself.
    return left


def _without_outermost(pages: Sequence[list[str]], lines_min: int) -> list[list[str]]:
    tops = Counter(_key(page[0]) for page in pages if page)
    bottoms = Counter(_key(page[-1]) for page in pages if page)
    kept: list[list[str]] = []
    for page in pages:
        if len(page) < lines_min:
            kept.append(page)
            continue
        first = 1 if page and _is_running(page[0], tops) else 0
        last = len(page) - 1 if len(page) > first and _is_running(page[-1], bottoms) else len(page)
        kept.append(page[first:last])
    return kept


def _is_running(line: str, seen: Counter[str]) -> bool:
    # Many a page of code begins with a bracket.
    return seen[_key(line)] >= RUNNING_PAGES_MIN and any(character.isalnum() for character in line)


def assembled(pages: Iterable[list[str]], titles: frozenset[tuple[int, str]]) -> tuple[str, tuple[Block, ...]]:
    """One text of all pages, paragraphs set apart by a blank line. Pure."""
    pieces: list[str] = []
    blocks: list[Block] = []
    at = 0
    for index, lines in enumerate(pages):
        for paragraph, is_title in _paragraphs(
            lines, None if not titles else {words for page, words in titles if page == index}
        ):
            pieces.append(paragraph)
            title = " ".join(paragraph.split()) if is_title else ""
            blocks.append(Block(at, at + len(paragraph), "heading" if is_title else "prose", title, index + 1))
            at += len(paragraph) + 2
    return "\n\n".join(pieces), tuple(blocks)


def _paragraphs(lines: list[str], titles: set[str] | None) -> Iterator[tuple[str, bool]]:
    """Paragraphs of a page, each with whether it is a heading. `titles`: the page's bookmarks; None: there are none at all."""
    usual = sorted(map(len, lines))[len(lines) * 3 // 4] if lines else 0
    paragraph, short = "", False
    for number, line in enumerate(lines):
        if _is_title(line, titles):
            if paragraph:
                yield paragraph, False
            yield _soft(line), True
            paragraph = ""
            continue
        paragraph = _joined(paragraph, line, "\n" if short else " ")
        short = len(line) < usual * FULL_LINE_SHARE
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if (short and SENTENCE_OVER.search(line)) or LISTED.match(following) or LEADERS.search(line):
            yield paragraph, False
            paragraph = ""
    if paragraph:
        yield paragraph, False


def _is_title(line: str, titles: set[str] | None) -> bool:
    if len(line) > HEADING_CHARACTERS_MAX or LEADERS.search(line):
        return False
    if titles is not None:
        return _words(line) in titles
    return bool(NUMBERED.match(line)) and not SENTENCE_OVER.search(line) and not line[-1].isdigit()


def _joined(paragraph: str, line: str, between: str) -> str:
    """A paragraph and its next line: a word that was broken is whole again."""
    line = _soft(line)
    if not paragraph:
        return line
    if WORD_BROKEN.search(paragraph[-2:]) and line[0].islower():
        return paragraph[:-1] + line
    return paragraph + between + line


def _soft(line: str) -> str:
    """PDFium joined the halves of a broken word around its hyphen, and of a compound as well: the hyphen goes."""
    return line.replace("\u00ad", "")


def _key(line: str) -> str:
    return NUMBERS.sub("0", line.casefold())


def _words(title: str) -> str:
    return re.sub(r"[\W\d_]+", " ", title).casefold().strip()
