"""Bytes of every kind to their text."""

from __future__ import annotations

import codecs
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingester import limits
from services.ingester import pdf as pdf_module
from services.ingester.extract import extract
from services.ingester.limits import UnreadableError
from services.ingester.pdf import without_running_titles
from services.ingester.reading import Given, Read, Unreadable, decode_outcome, encode_outcome, read
from tests.unit.pdfs import pdf

LONG = "This line is as long as the lines of a page usually are, so that a paragraph can be told from it"
PAGE = f"""<!doctype html><html><head><title>T</title><style>p {{}}</style></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
<article><h1>Leases</h1><p>{"A lease expires unless it is renewed. " * 8}</p>
<h2>Grace</h2><p>{"A reload cancels nothing at all. " * 8}</p>
<table><tr><th>state</th><th>sign</th></tr><tr><td>queued</td><td>circle</td></tr></table></article>
<footer>Copyright and cookies</footer><script>alert(1)</script></body></html>"""


def text_of(data: bytes, media_type: str = "", name: str = "") -> str:
    return extract(data, media_type, name).text


# -- Text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Grüße, 世界".encode(), "Grüße, 世界"),
        (codecs.BOM_UTF8 + "Grüße".encode(), "Grüße"),
        ("Grüße, 世界".encode("utf-16"), "Grüße, 世界"),
        (codecs.BOM_UTF16_BE + "Grüße".encode("utf-16-be"), "Grüße"),
        ("Plain words, in sixteen bits.".encode("utf-16-le"), "Plain words, in sixteen bits."),
        ("Plain words, in sixteen bits.".encode("utf-16-be"), "Plain words, in sixteen bits."),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("“Grüße” – 5 €".encode("cp1252"), "“Grüße” – 5 €"),  # noqa: RUF001 -- what Windows writes
        (b"caf\xe9 \x81", "café \x81"),
    ],
)
def test_a_text_is_decoded_whatever_its_encoding(data: bytes, expected: str) -> None:
    assert text_of(data, "text/plain", "a.txt") == expected


def test_a_text_is_kept_as_it_is() -> None:
    text = "# Title\r\n\r\nTwo  spaces,\ttabs.\r\n\r\n\r\n* item\r\n"
    assert text_of(text.encode(), "text/markdown", "a.md") == text


def test_utf16_that_is_cut_says_so() -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        text_of("Grüße".encode("utf-16")[:-1])


@settings(max_examples=100)
@given(st.binary(max_size=300), st.sampled_from(["", "text/plain", "text/markdown"]))
def test_whatever_the_bytes_the_outcome_is_text_or_a_reason(data: bytes, media_type: str) -> None:
    outcome = read(Given(source="s1", name="x", media_type=media_type, data=data))
    match outcome:
        case Read(passages=found):
            assert found.passages
            assert all(found.text[p.start : p.end] == p.text for p in found.passages)
            assert decode_outcome(encode_outcome(outcome)) == outcome
        case Unreadable(message=message):
            assert message.endswith(".")


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t ", "a.md", "empty"),
        (b"PK\x03\x04rest", "a.docx", "ZIP archive or an Office document"),
        (b"\x1f\x8b\x08\x00rest", "a.txt.gz", "gzip"),
        (b"\x00\x01\x02\x03\x07\x08words" * 20, "a.bin", "unknown binary kind"),
        (b"plain words", "a.pdf", "none or is damaged"),
        (b"<html><body><script>x()</script></body></html>", "a.html", "no text"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        text_of(data, "", name)


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(UnreadableError, match="5,000,000 are the most"):
        text_of(b"word " * (limits.CHARACTERS_MAX // 5 + 1))


@pytest.mark.parametrize(
    "text",
    [
        " " * 200_000 + "x",
        "# " + "[" * 200_000,
        "> " * 100_000 + "x",
        "<!---->" * 30_000,
        "- x\n" * 20_000,
        '."' * 100_000,
    ],
    ids=["spaces", "brackets", "quotes", "comments", "items", "closers"],
)
def test_no_text_keeps_a_reader_busy_for_long(text: str) -> None:
    began = thread_time()
    for media_type in ("text/plain", "text/markdown"):
        assert isinstance(read(Given(source="s1", name="x", media_type=media_type, data=text.encode())), Read)
    assert thread_time() - began < 10  # Measured: 0.1 to 0.7 s. Quadratic work would take minutes.


# -- Web pages ---------------------------------------------------------------------------------------------------------


def test_a_page_is_its_article_with_headings_and_tables() -> None:
    found = extract(PAGE.encode(), "text/html; charset=utf-8", "page")
    assert "A lease expires unless it is renewed." in found.text
    assert "| queued | circle |" in found.text
    for noise in ("About us", "cookies", "alert", "<p>"):
        assert noise not in found.text
    assert [block.title for block in found.blocks if block.kind == "heading"] == ["Leases", "Grace"]


def test_a_page_is_told_by_its_beginning() -> None:
    assert "About us" not in text_of(PAGE.encode(), "text/plain", "download")


def test_a_page_is_decoded_as_it_declares() -> None:
    words = "Аренда истекает, если её не продлить. " * 10
    page = f'<html><head><meta charset="windows-1251"></head><body><article><p>{words}</p></article></body></html>'
    assert "Аренда истекает" in text_of(page.encode("windows-1251"), "text/html", "a.html")


def test_an_xhtml_page_with_a_declaration_is_read() -> None:
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<html><body><p>{"Words of a page. " * 20}</p></body></html>'
    assert "Words of a page." in text_of(page.encode(), "application/xhtml+xml", "a")


def test_a_page_without_an_article_gives_all_its_text() -> None:
    assert text_of(
        b"<html><body><aside>Hi <b>there</b><br>you<script>x</script></aside></body></html>", "text/html", "a"
    ).split() == [
        "Hi",
        "there",
        "you",
    ]


# -- PDF ---------------------------------------------------------------------------------------------------------------


def test_a_pdf_has_its_words_its_pages_and_its_headings() -> None:
    data = pdf(
        [
            ["Leases", LONG, "and this is its end.", "Another paragraph."],
            ["Grace", "A reload (or two) cancels nothing."],
        ],
        bookmarks=[(0, "Leases"), (1, "Grace")],
    )
    outcome = read(Given(source="s1", name="a.pdf", media_type="application/pdf", data=data))
    assert isinstance(outcome, Read)
    found = outcome.passages
    assert found.pages == 2
    assert [(p.page, p.heading) for p in found.passages] == [(1, "Leases"), (2, "Grace")]
    assert found.passages[0].text == f"Leases\n\n{LONG} and this is its end.\n\nAnother paragraph."
    assert found.passages[1].text == "Grace\n\nA reload (or two) cancels nothing."


def test_a_word_broken_over_two_lines_is_whole_again() -> None:
    text = text_of(
        pdf([[f"{LONG[:-6]} pub-", "lished and nowhere else, which is what one finds in a search for it all."]])
    )
    assert "published and" in text


def test_lines_that_end_early_stay_lines() -> None:
    text = text_of(pdf([[LONG, LONG, LONG, LONG, "name: value", "other: value"]]))
    assert "name: value\nother: value" in text


def test_running_titles_are_left_out() -> None:
    pages = [[f"Chapter {n}", f"Words of page {n}.", str(n)] for n in range(1, 7)]
    assert without_running_titles(pages) == [[f"Words of page {n}."] for n in range(1, 7)]
    assert without_running_titles(pages[:3]) == pages[:3]


def test_what_a_browser_prints_around_a_page_is_left_out_and_brackets_are_not() -> None:
    pages = [
        ["}", f"Words of page {word}.", "]", "1/2/26, 3:04 AM A title", f"https://example.org/a {number}/5"]
        for number, word in enumerate(("one", "two", "three", "four", "five"), 1)
    ]
    assert without_running_titles(pages) == [page[:3] for page in pages]


def test_an_encrypted_pdf_says_so() -> None:
    with pytest.raises(UnreadableError, match="encrypted"):
        text_of(pdf([["Secret."]], encrypted=True))


def test_a_damaged_pdf_says_so() -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        text_of(b"%PDF-1.7\n" + bytes(range(256)) * 8)


def test_a_pdf_of_pictures_says_so() -> None:
    with pytest.raises(UnreadableError, match="pictures"):
        text_of(pdf([[], []]))


def test_a_pdf_of_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_module, "PAGES_MAX", 2)
    with pytest.raises(UnreadableError, match="3 pages; 2 are the most"):
        text_of(pdf([["One."], ["Two."], ["Three."]]))
