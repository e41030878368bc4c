"""Exports, opened by the libraries that read their formats; every link in them is followed."""

from __future__ import annotations

import csv as reader
import io
import re
from typing import Any

import docx as word_files
import pytest
from docx.document import Document as Word
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as parser

from schemas.document import Document
from schemas.passages import Passage
from schemas.values import Column, Section
from services.gateway.exports.book import book
from services.gateway.exports.csv import csv, guarded
from services.gateway.exports.docx import docx
from services.gateway.exports.formats import accepted
from services.gateway.exports.html import html
from services.gateway.exports.markdown import markdown
from services.gateway.exports.prose import blocks_of
from tests.unit.papers import document, source

A, B = Section(id="a", heading="First"), Section(id="b", heading="Second", depends_on=("a",))
TABLE = Section(
    id="t",
    heading="Table",
    columns=(Column(id="x", heading="What, exactly?"), Column(id="y", heading="How many", format="number")),
)
TEXT = """Some **bold _both_** `code [[s1:1]]` and ~~no~~, a [link](https://example.org/a?b=1&c="2") [[s1:2 "ora et labora"]].

### Deeper

1. one [[s2:7 "lost"]]
2. two
   - inner

7. seven

> quoted [[s1:2 "ora et
> labora"]]

| a | b |
|---|---|
| 1 [[s1:1]] | <b>2</b> |

```
raw <script> # no heading
```
"""
EVIDENCE = {("s1", 2): Passage(number=2, start=0, end=20, text="So: Ora et labora, <they> say.", page=17)}
PAPER = document(
    (A, B, TABLE),
    {"b": TEXT, "a": "First cites [[s2:7]].", "t:s1:x": "=1+1 [[s1:1]]", "t:s1:y": "-5", "t:s2:x": 'a, "b"\nc'},
    (source("s1"), source("s2", "https://example.org/rule?a=1&b=2")),
    title='T <&> "q"',
)
markdowns = st.text(st.sampled_from("ab12 \n\n*_`~#>-|[]()!<&\"'\\:/.\t\x00\x0b\ue000é😀\u2028"), max_size=120) | st.lists(
    st.sampled_from([
        "[[s1:1]]", '[[s1:2 "a | b"]]', "[x](javascript:alert(1))", "![x](https://e.org/x.png)", "<img src=x onerror=y>",
        "\n\n", "- ", "1. ", "> ", "# ", "| a | b |\n|---|---|\n| ", "```\n", "**", "`", "[[s1:1]](https://e.org)",
        "[a](https://e.org/[[s1:1]])", "<https://e.org>", "\\", "word ", "[r]: https://e.org\n", "[r]", "&amp;", "    ",
    ]), max_size=14
).map("".join)  # fmt: skip


def _untyped(value: Any) -> Any:
    """lxml's elements, and python-docx' below its own names."""
    return value


def _page(paper: Document) -> Any:
    return _untyped(parser).document_fromstring(html(book(paper, EVIDENCE)))


def _followed(tree: Any) -> dict[str, str]:
    """Each internal link's text by where it leads; every one leads somewhere, and every name is there once."""
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [(a.get("href"), a) for a in tree.iter("a") if a.get("href") is not None]
    assert all(href.startswith(("https://", "http://", "mailto:", "#")) for href, _ in links)
    inner = {href.removeprefix("#"): a.text_content() for href, a in links if href.startswith("#")}
    assert {*inner} <= {*ids}
    return inner


def test_html_has_every_citation_linked_to_its_source_and_back() -> None:
    tree = _page(PAPER)
    links = _followed(tree)
    assert [li.get("id") for li in tree.xpath("//ol[@class='sources']/li")] == ["source-1", "source-2", "source-3"]
    # Reading order: the first section's citation is the first, though it stands in the log behind the second's.
    assert links["source-1"] == "1"
    assert "https://example.org/rule" in tree.get_element_by_id("source-1").text_content()
    assert {"cite-1-1", "cite-1-2", "cite-2-1", "cite-2-2", "cite-3-1", "cite-3-2"} <= {*links}
    third = tree.get_element_by_id("source-3")
    assert third.xpath(".//mark")[0].text_content() == "Ora et labora"
    assert "page 17" in third.text_content()
    assert "Not found in the source: “lost”" in tree.get_element_by_id("source-1").text_content()


def test_html_has_the_words_and_what_they_are() -> None:
    tree = _page(PAPER)
    assert tree.findtext(".//title") == 'T <&> "q"'
    assert [h.text_content() for h in tree.iter("h1", "h2")] == ['T <&> "q"', "First", "Second", "Table", "Sources"]
    assert tree.findtext(".//strong/em") == "both"
    assert tree.findtext(".//p/code") == "code [[s1:1]]"
    assert tree.findtext(".//pre/code") == "raw <script> # no heading"
    assert [a.get("href") for a in tree.xpath("//p//a[@rel]")] == ["https://example.org/a?b=1&c=%222%22"]
    assert [ol.get("start") for ol in tree.xpath("//ol[@start]")] == ["1"]


@settings(max_examples=150)
@given(markdowns, markdowns)
def test_html_runs_nothing_and_fetches_nothing_whatever_was_written(text: str, answer: str) -> None:
    paper = document((A, TABLE), {"a": text, "t:s1:x": answer})
    tree = _page(paper)
    _followed(tree)
    allowed = {"href", "rel", "id", "class", "start", "value", "scope", "aria-label"}
    for element in tree.body.iter():
        assert element.tag not in {"script", "img", "iframe", "object", "form", "style", "link", "base", "svg"}
        assert {*element.attrib} <= allowed
    assert len(tree.head.findall("style")) == 1
    assert "@import" not in tree.head.findtext("style")
    assert "url(" not in tree.head.findtext("style")


def _word(paper: Document) -> Word:
    return word_files.Document(io.BytesIO(docx(book(paper, EVIDENCE))))


def _word_links(word: Word) -> tuple[list[str], list[str]]:
    """(anchors that lead to a bookmark, addresses); every link leads somewhere."""
    body = _untyped(word).element.body
    bookmarks = [mark.get(qn("w:name")) for mark in body.iter(qn("w:bookmarkStart"))]
    assert len(bookmarks) == len(set(bookmarks))
    anchors: list[str] = []
    addresses: list[str] = []
    for link in body.iter(qn("w:hyperlink")):
        anchor, relation = link.get(qn("w:anchor")), link.get(qn("r:id"))
        if relation is None:
            assert anchor in bookmarks
            anchors.append(anchor)
        else:
            addresses.append(word.part.rels[relation].target_ref)
    return anchors, addresses


def test_word_opens_it_and_every_citation_leads_to_its_source() -> None:
    word = _word(PAPER)
    anchors, addresses = _word_links(word)
    assert sorted(anchors) == [*["source_1"] * 2, *["source_2"] * 2, *["source_3"] * 2]
    assert addresses == ["https://example.org/a?b=1&c=%222%22", "https://example.org/rule?a=1&b=2"]
    assert word.core_properties.title == 'T <&> "q"'
    headings = [p.text for p in word.paragraphs if p.style is not None and p.style.name in {"Title", "Heading 1"}]
    assert headings == ['T <&> "q"', "First", "Second", "Table", "Sources"]
    assert [cell.text for cell in word.tables[1].rows[0].cells] == ["Source", "What, exactly?", "How many"]
    # A link's run stands within the link, where python-docx's cell text has it as well.
    assert [cell.text for cell in word.tables[1].rows[1].cells] == ["The Rule", "=1+1 [2]", "-5"]


def test_each_numbered_list_in_word_begins_where_it_says() -> None:
    word = _word(document((A,), {"a": "1. one\n2. two\n\ntext\n\n5. five\n6. six"}))
    numbers = [
        _untyped(p)._p.pPr.numPr.numId.val
        for p in word.paragraphs
        if p.style is not None and p.style.name == "List Number"
    ]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]
    numbering = _untyped(word).part.numbering_part.element
    starts = [numbering.num_having_numId(n).lvlOverride_lst[0].startOverride.val for n in (numbers[0], numbers[2])]
    assert starts == [1, 5]


@settings(max_examples=25, deadline=None)
@given(markdowns, markdowns)
def test_word_opens_whatever_was_written(text: str, answer: str) -> None:
    _word_links(_word(document((A, TABLE), {"a": text, "t:s1:x": answer})))


def test_what_a_column_comes_to_stands_below_the_table_and_not_in_a_csv() -> None:
    figures = "sum -5, mean -5, median -5, smallest -5, largest -5; 1 of 2 answered; 1 missing"
    foot = _page(PAPER).find(".//tfoot/tr")
    assert [cell.text_content() for cell in foot] == ["All", "2 of 2 answered", figures]
    last = _word(PAPER).tables[-1].rows[-1]
    assert [cell.text for cell in last.cells] == ["All", "2 of 2 answered", figures]
    assert f"| **All** | **2 of 2 answered** | **{figures}** |" in markdown(PAPER, EVIDENCE)
    assert figures not in csv(PAPER, TABLE).decode()


def test_a_table_is_read_as_csv_without_citations() -> None:
    table = [*reader.reader(io.StringIO(csv(PAPER, TABLE).decode("utf-8-sig"), newline=""))]
    assert table == [
        ["Source", "What, exactly?", "How many"],
        ["The Rule", "'=1+1", "-5"],
        ["https://example.org/rule?a=1&b=2", 'a, "b" c', ""],
    ]


@given(st.text(st.sampled_from("=+-@\t\r\n 1a.%,'|\uff1d"), max_size=12))
def test_no_cell_of_a_csv_is_a_formula(value: str) -> None:
    shown = guarded(value)
    assert shown in {value.strip(), f"'{value.strip()}"}
    if shown[:1] in {*"=+-@\t\r"}:
        assert re.fullmatch(r"[+-]\d[\d.,' ]*%?", shown)


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/markdown", "md"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("application/json;q=0.5, text/csv", "csv"),
        ("text/*", "md"),
        ("application/*;q=0.2, text/html;q=0.1", "json"),
        ("text/html;q=0, */*", "json"),
        ("image/png", None),
        ("text/html;q=nonsense", None),
    ],
)
def test_what_is_wanted_most_is_answered(accept: str, format_: str | None) -> None:
    assert accepted(accept) == format_


def test_markdown_that_would_never_end_is_still_read() -> None:
    assert blocks_of(">" * 5_000 + " deep")
    assert blocks_of("[" * 5_000)
