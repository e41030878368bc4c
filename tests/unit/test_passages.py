"""Passages: exact, in order, without overlap, nothing left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingester import passages as module
from services.ingester.markdown import blocks_of_markdown
from services.ingester.passages import CHARACTERS_MAX, Block, TooManyPassagesError, cut
from services.ingester.plain import blocks_of_text

PARTS = st.sampled_from(
    [
        "# One\n",
        "\n\n",
        "\n",
        "\r\n",
        " ",
        "A sentence. ",
        "word ",
        "x" * 700,
        "- item\n",
        "```\ncode();\n```\n",
        "| a | b |\n",
        "|---|---|\n",
        "这是一句话。",
        "\u00a0",
        "Ünï\U0001f600 ",
        "===\n",
        "[x]: y\n",
        "> quote\n",
        "\t",
        "---\n",
        "e.g. this. And",
    ]
)
TEXTS = st.one_of(st.text(max_size=400), st.lists(PARTS, max_size=60).map("".join))


@settings(max_examples=150)
@given(TEXTS, st.sampled_from(["plain", "markdown"]))
def test_passages_are_exact_and_ordered_and_leave_nothing_out(text: str, kind: str) -> None:
    blocks = blocks_of_text(text) if kind == "plain" else blocks_of_markdown(text)
    at = 0
    for number, passage in enumerate(cut(text, blocks), 1):
        assert passage.number == number
        assert passage.text == text[passage.start : passage.end]
        assert not text[at : passage.start].strip()
        assert 0 < len(passage.text) <= CHARACTERS_MAX
        assert passage.text == passage.text.strip()
        at = passage.end
    assert not text[at:].strip()


@given(st.text(max_size=200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=8))
def test_blocks_that_leave_gaps_lose_no_text(text: str, spans: list[tuple[int, int]]) -> None:
    at, blocks = 0, list[Block]()
    for gap, length in spans:
        start = min(at + gap, len(text))
        at = min(start + length, len(text))
        blocks.append(Block(start, at))
    covered = "".join(passage.text for passage in cut(text, blocks))
    assert "".join(covered.split()) == "".join(text.split())


def test_a_passage_has_the_nearest_heading_above_it_and_begins_with_it() -> None:
    text = "# Book\n\n## First *part*\n\nSome words.\n\n## Second `part`\n\nOther words.\n"
    first, second = cut(text, blocks_of_markdown(text))
    assert (first.heading, second.heading) == ("First part", "Second part")
    assert first.text == "# Book\n\n## First *part*\n\nSome words."
    assert second.text.startswith("## Second")


def test_short_paragraphs_share_a_passage_and_long_ones_are_cut_at_sentences() -> None:
    short = "\n\n".join(["A short paragraph of some words that says a little."] * 6)
    assert len(cut(short, blocks_of_text(short))) == 1
    long = "This sentence has a number of words in it, and ends. " * 60
    found = cut(long, blocks_of_text(long))
    assert len(found) > 2
    assert all(passage.text.startswith("This") and passage.text.endswith("ends.") for passage in found)


def test_an_abbreviation_before_a_small_letter_ends_no_sentence() -> None:
    text = "It is seen e.g. here and there. " * 60
    assert all(passage.text.endswith("there.") for passage in cut(text, blocks_of_text(text)))


def test_a_word_is_only_cut_when_it_is_longer_than_a_passage() -> None:
    text = "longish " * 300 + "y" * 3_000
    found = cut(text, blocks_of_text(text))
    assert all(set(passage.text.split()) <= {"longish"} for passage in found if "y" not in passage.text)
    assert sum(passage.text.count("y") for passage in found) == 3_000


def test_a_page_ends_a_passage() -> None:
    text = "On page one.\n\nOn page two."
    found = cut(text, [Block(0, 12, page=1), Block(14, 26, page=2)])
    assert [passage.page for passage in found] == [1, 2]


def test_code_is_cut_at_its_lines() -> None:
    text = "```\n" + "    call(some, arguments)  # and. Why not.\n" * 100 + "```\n"
    assert all(passage.text.endswith(("not.", "```")) for passage in cut(text, blocks_of_markdown(text)))


def test_a_text_of_too_many_passages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASSAGES_MAX", 3)
    text = "".join(f"# {n}\n\nwords\n\n" for n in range(4))
    with pytest.raises(TooManyPassagesError):
        cut(text, blocks_of_markdown(text))


def test_numbered_and_capital_and_underlined_lines_of_a_text_are_headings() -> None:
    text = "1.2. Terminology\n\nWords.\n\nABSTRACT\n\nWords.\n\nScope\n=====\n\nWords.\n\nNo heading at all.\n\n3. Contents ........ 9\n"
    headings = [block.title for block in blocks_of_text(text) if block.kind == "heading"]
    assert headings == ["1.2. Terminology", "ABSTRACT", "Scope"]


def test_each_item_of_a_list_is_a_block_and_front_matter_is_no_heading() -> None:
    text = "---\ntitle: x\n---\n\n# Real\n\n- one\n- two\n  more\n\n1. three\n"
    blocks = blocks_of_markdown(text)
    assert [text[b.start : b.end].strip() for b in blocks] == [
        "---\ntitle: x\n---",
        "# Real",
        "- one",
        "- two\n  more",
        "1. three",
    ]
    assert [b.title for b in blocks if b.kind == "heading"] == ["Real"]
