"""Which passages bear on a query: BM25 (Lù 2024, BM25S) for relevance, MMR (Carbonell and Goldstein 1998) for variety.

Pure apart from a cache: all sections of a document ask the same corpus, which is indexed once.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, cast

import bm25s
import numpy as np
import numpy.typing as npt
from bm25s import stopwords

from schemas.passages import Passage, Passages

INDEXES_MAX = 8
"""Corpora whose index is kept."""
CANDIDATES_MAX = 200
"""Passages among which variety is sought."""
RELEVANCE_SHARE = 0.75
"""What counts for relevance in MMR; the rest counts against being like what is chosen already."""
BEARING_SHARE = 0.1
"""Of the best score: below it a source has nothing that bears on the query."""
POOR_WEIGHT = 0.3
"""For code and lists of links, which say little by themselves."""
SHORT_CHARACTERS = 80
"""A passage below this is a heading or a remnant, and is weighed down likewise."""

_HAN: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
WORD: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)?")  # noqa: RUF001 -- the typographic apostrophe
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
LINK_LINE: Final = re.compile(
    r"\s*(?:[-*+•]|\d+[.)])?\s*(?:<?https?://\S+|!?\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\]|:\s*\S+))[\s.,;|]*"
)
LEADER_LINE: Final = re.compile(r".*(?:\.{4,}|(?:\. ){4,})\s*\d+\s*")
CODE_LINE: Final = re.compile(
    r"(?: {4,}|\t)\S|.*[{};=]\s*$|\s*(?:def|class|import|from|return|const|let|var|func|fn|#include)\b.*[(:;.]|\s*[$>#] \S"
)
FENCE: Final = re.compile(r"\s*(?:```|~~~)")

STOP_WORDS: Final = frozenset[str]().union(
    stopwords.STOPWORDS_EN_PLUS,
    stopwords.STOPWORDS_GERMAN,
    stopwords.STOPWORDS_FRENCH,
    cast("tuple[str, ...]", stopwords.STOPWORDS_SPANISH),
    cast("tuple[str, ...]", stopwords.STOPWORDS_ITALIAN),
    stopwords.STOPWORDS_DUTCH,
    stopwords.STOPWORDS_PORTUGUESE,
)


Scores = npt.NDArray[np.float32]


class Chosen(NamedTuple):
    """A passage and the id of its source."""

    source: str
    passage: Passage


def choose(passages_by_source: Mapping[str, Passages], query: str, most: int) -> tuple[Chosen, ...]:
    """At most `most` passages that bear on the query, the best first; where nothing does, the leading ones.

    Every source that has something to say is represented, as long as there is room for all of them.
    """
    corpus = _indexed(passages_by_source)
    if not corpus.chosen or most < 1:
        return ()
    scores = corpus.bm25.scores(tokens(query)) * corpus.weights
    best = float(scores.max())
    if best <= 0:
        return tuple(corpus.chosen[place] for place in corpus.leading[:most])
    ranked = np.argsort(-scores, kind="stable")[:CANDIDATES_MAX]
    picked = _one_a_source(corpus, scores, best * BEARING_SHARE)[:most]
    candidates = [int(place) for place in ranked if scores[place] > 0]
    picked = diverse(scores, corpus.bm25.terms, candidates, most, picked)
    return tuple(corpus.chosen[place] for place in sorted(picked, key=lambda place: (-scores[place], place)))


# -- Words --------------------------------------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """What is compared: words folded and without plural, identifiers also in their parts, pairs of characters in CJK."""
    found: list[str] = []
    for match in WORD.finditer(unicodedata.normalize("NFKC", text)):
        word = match[0]
        if "\u3040" <= word[0] <= "\ud7af" or "\uf900" <= word[0] <= "\ufaff":
            found += [word[at : at + 2] for at in range(max(len(word) - 1, 1))]
            continue
        parts = CAMEL.split(word)
        for part in [word, *parts] if len(parts) > 1 else [word]:
            folded = part.casefold().partition("'")[0].partition("’")[0]  # noqa: RUF001
            if folded not in STOP_WORDS and (len(folded) > 1 or folded.isdigit()):
                found.append(singular(folded))
    return found


def singular(word: str) -> str:
    """The S stemmer (Harman 1991), which takes off an English plural and nothing else."""
    if len(word) < 4:  # noqa: PLR2004
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("us", "ss", "is")):
        return word[:-1]
    return word


def weight_of(text: str) -> float:
    """1 for prose and tables, POOR_WEIGHT for code, lists of links, tables of contents and remnants."""
    if len(text) < SHORT_CHARACTERS:
        return POOR_WEIGHT
    poor = total = 0
    fenced = False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
            continue
        size = len(line.strip())
        total += size
        if fenced or LINK_LINE.fullmatch(line) or LEADER_LINE.fullmatch(line) or CODE_LINE.match(line):
            poor += size
    return POOR_WEIGHT if total == 0 or poor * 2 > total else 1.0


# -- Scores -------------------------------------------------------------------------------------------------------------


class Index:
    """BM25 over some texts, given as their tokens."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self.terms = [frozenset(text) for text in texts]
        self._size = len(texts)
        self._vocabulary: set[str] = set().union(*self.terms)
        self._bm25 = bm25s.BM25()
        if self._vocabulary:
            self._bm25.index([list(text) for text in texts], show_progress=False)

    def scores(self, query: Iterable[str]) -> Scores:
        """One score a text; all zero where no word of the query occurs."""
        known = [word for word in query if word in self._vocabulary]
        if not known:
            return np.zeros(self._size, dtype=np.float32)
        return self._bm25.get_scores(known)


def diverse(
    scores: Scores,
    terms: Sequence[frozenset[str]],
    candidates: Sequence[int],
    most: int,
    picked: Sequence[int] = (),
) -> list[int]:
    """`picked`, and of `candidates` those that are relevant and unlike what is chosen already, until there are `most`."""
    chosen = list(picked)
    left = [place for place in candidates if place not in chosen]
    best = float(max((scores[place] for place in candidates), default=1.0)) or 1.0
    alike = {place: max((_alike(terms[place], terms[other]) for other in chosen), default=0.0) for place in left}

    def worth(place: int) -> float:
        return RELEVANCE_SHARE * float(scores[place]) / best - (1 - RELEVANCE_SHARE) * alike[place]

    while left and len(chosen) < most:
        taken = max(left, key=worth)  # The first of equals: candidates are in order.
        left.remove(taken)
        chosen.append(taken)
        for place in left:
            alike[place] = max(alike[place], _alike(terms[place], terms[taken]))
    return chosen


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's coefficient."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if common else 0.0


class _Corpus(NamedTuple):
    chosen: tuple[Chosen, ...]
    bm25: Index
    weights: Scores
    leading: tuple[int, ...]
    """Every source's first passage, then every source's second, and so on; those of little weight last."""


def _one_a_source(corpus: _Corpus, scores: Scores, least: float) -> list[int]:
    """The best passage of each source that has one at least that good, the best of them first."""
    best: dict[str, int] = {}
    for place, (source, _) in enumerate(corpus.chosen):
        if scores[place] >= least and (source not in best or scores[place] > scores[best[source]]):
            best[source] = place
    return sorted(best.values(), key=lambda place: (-scores[place], place))


_cache: OrderedDict[tuple[object, ...], _Corpus] = OrderedDict()
_lock = threading.Lock()


def _indexed(passages_by_source: Mapping[str, Passages]) -> _Corpus:
    # One text may be cut in two ways, as Markdown and as plain text: its digest alone does not name its passages.
    key = tuple(
        (source, found.digest, hash(tuple(passage.start for passage in found.passages)))
        for source, found in passages_by_source.items()
    )
    with _lock:
        corpus = _cache.get(key)
        if corpus is None:
            corpus = _cache[key] = _built(passages_by_source)
        _cache.move_to_end(key)
        if len(_cache) > INDEXES_MAX:
            _cache.popitem(last=False)
    return corpus


def _built(passages_by_source: Mapping[str, Passages]) -> _Corpus:
    chosen = tuple(
        Chosen(source, passage) for source, found in passages_by_source.items() for passage in found.passages
    )
    weights = np.array([weight_of(passage.text) for _, passage in chosen], dtype=np.float32)
    # A passage is also about what its heading says, even where it is the third below it.
    index = Index([tokens(f"{passage.heading}\n{passage.text}") for _, passage in chosen])
    leading = sorted(range(len(chosen)), key=lambda place: (-weights[place], chosen[place].passage.number, place))
    return _Corpus(chosen, index, weights, tuple(leading))
