"""Which passages bear on a query."""

from __future__ import annotations

from schemas.cells import text_digest
from schemas.passages import Passage, Passages
from services.shared.retrieval import choose, tokens, weight_of

FILL = "It goes on for a while with words that have no meaning here, so that the passage is long enough to count."


def source(id_: str, *texts: str, heading: str = "") -> Passages:
    passages: list[Passage] = []
    at = 0
    for number, text in enumerate(texts, 1):
        passages.append(Passage(number=number, start=at, end=at + len(text), text=text, heading=heading))
        at += len(text) + 2
    text = "\n\n".join(texts)
    return Passages(source=id_, name=id_, digest=text_digest(text), text=text, passages=tuple(passages))


def corpus(*sources: Passages) -> dict[str, Passages]:
    return {found.source: found for found in sources}


def names(sources: dict[str, Passages], query: str, most: int = 3) -> list[tuple[str, int]]:
    return [(chosen.source, chosen.passage.number) for chosen in choose(sources, query, most)]


def test_the_passage_with_the_words_of_the_query_comes_first() -> None:
    sources = corpus(source("s1", f"Whales swim. {FILL}", f"Leases expire. {FILL}", f"Bread rises. {FILL}"))
    assert names(sources, "How does a lease expire?")[0] == ("s1", 2)


def test_a_source_with_something_to_say_is_represented() -> None:
    many = [f"The lease of gateway number {n} expires and is renewed. {FILL}" for n in range(8)]
    sources = corpus(source("a", *many), source("b", f"Nothing of it. {FILL}", f"A lease, once, by the way. {FILL}"))
    assert ("b", 2) in names(sources, "lease expires gateway", 3)


def test_two_passages_that_say_the_same_are_not_both_chosen_before_another() -> None:
    said = f"A writer stops when the fact arrives, closing its socket at once. {FILL}"
    other = "Stops also reach a writer through direct get, after reconnection, as an entirely different mechanism does elsewhere."
    sources = corpus(source("s", said, said, other, f"Bread. {FILL}"))
    assert set(names(sources, "how a writer stops", 2)) == {("s", 1), ("s", 3)}


def test_code_and_lists_of_links_come_after_prose() -> None:
    code = (
        "```python\nlease = lease(lease, lease)\nlease.lease(lease)\nprint(lease)\nlease = renew(lease) or lease\n```\n"
        * 2
    )
    links = "\n".join(f"- [lease {n}](https://example.org/lease/{n})" for n in range(9))
    prose = f"A lease is a key that expires unless it is renewed. {FILL}"
    sources = corpus(source("s", code, links, prose, f"Bread. {FILL}"))
    assert names(sources, "lease", 1) == [("s", 3)]
    assert weight_of(code) == weight_of(links) < weight_of(prose)


def test_a_table_weighs_as_much_as_prose() -> None:
    assert (
        weight_of("| state | sign | because |\n|---|---|---|\n" + "| queued | circle | it waits for a slot |\n" * 4)
        == 1
    )


def test_where_nothing_bears_on_the_query_the_leading_passages_are_chosen() -> None:
    sources = corpus(source("a", f"One. {FILL}", f"Two. {FILL}"), source("b", f"Three. {FILL}"))
    for query in ("", "   ", "the of and", "xylophone"):
        assert names(sources, query) == [("a", 1), ("b", 1), ("a", 2)]


def test_small_and_empty_corpora_are_corpora() -> None:
    assert choose({}, "anything", 5) == ()
    assert choose(corpus(source("a")), "anything", 5) == ()
    assert names(corpus(source("a", "Tiny.")), "tiny", 5) == [("a", 1)]
    assert names(corpus(source("a", "—")), "tiny", 5) == [("a", 1)]
    assert choose(corpus(source("a", "Tiny.")), "tiny", 0) == ()


def test_the_same_question_has_the_same_answer() -> None:
    sources = corpus(*(source(f"s{n}", *(f"Passage {m} about leases. {FILL}" for m in range(20))) for n in range(4)))
    assert names(sources, "leases", 12) == names(dict(sources), "leases", 12)


def test_the_words_of_a_heading_count() -> None:
    sources = corpus(source("a", f"Words. {FILL}", heading="Cancellation"), source("b", f"Words. {FILL}"))
    assert names(sources, "cancellation", 1) == [("a", 1)]


def test_one_text_cut_in_two_ways_is_two_corpora() -> None:
    text = f"First lease. {FILL}\n\nSecond bread. {FILL}"
    middle = text.index("\n\n")
    whole = Passages(
        source="a",
        name="a",
        digest=text_digest(text),
        text=text,
        passages=(Passage(number=1, start=0, end=len(text), text=text),),
    )
    halves = Passages(
        source="a",
        name="a",
        digest=text_digest(text),
        text=text,
        passages=(
            Passage(number=1, start=0, end=middle, text=text[:middle]),
            Passage(number=2, start=middle + 2, end=len(text), text=text[middle + 2 :]),
        ),
    )
    assert names({"a": whole}, "bread") == [("a", 1)]
    assert names({"a": halves}, "bread", 1) == [("a", 2)]


def test_words_are_compared_without_case_plural_and_stop_words() -> None:
    assert tokens("The Writers' leases AND queries") == ["writer", "lease", "query"]


def test_identifiers_are_compared_whole_and_in_parts() -> None:
    assert tokens("CellCompleted") == ["cellcompleted", "cell", "completed"]


def test_chinese_is_compared_by_pairs_of_characters() -> None:
    assert tokens("事件驱动 bus") == ["事件", "件驱", "驱动", "bus"]
    filler = "这里的其他内容与问题没有任何关系只是为了让段落足够长而写下的文字" * 3
    sources = corpus(source("a", f"天气很好。{filler}", f"事件驱动的系统。{filler}"))
    assert names(sources, "什么是事件驱动", 1) == [("a", 2)]
