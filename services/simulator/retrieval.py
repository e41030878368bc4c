"""Which sentences bear on a question: BM25 (bm25s, Lù 2024) and maximal marginal relevance (Carbonell & Goldstein 1998). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import bm25s

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 -- a typographic apostrophe
CENTRAL_TERMS: Final = 14
LENGTH_NORMALISATION: Final = 0.4  # BM25's b: among sentences, short ones are not the better for it
SUFFIXES: Final = ("ations", "ation", "ingly", "ings", "ing", "edly", "ies", "ers", "ed", "er", "es", "ly", "s", "e")
STEM_MIN: Final = 4
STEMS_MAX: Final = 65_536
TEXTS_MAX: Final = 8_192
STOPWORDS: Final = frozenset(
    """a about above after again against all also am an and any are aren't as at be because been before being below between both
    but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each either else etc even ever every
    few for from further had hadn't has hasn't have haven't having he her here hers herself him himself his how however i if in into
    is isn't it it's its itself just let's like many may me might more most much must mustn't my myself neither no nor not now of
    off often on once one only onto or other our ours ourselves out over own per rather same shall she should shouldn't since so
    some such than that the their theirs them themselves then there therefore these they this those through thus to too under until
    up upon us very via was wasn't we were weren't what when where whether which while who whom why will with within without won't
    would wouldn't yet you your yours yourself yourselves
    answer brief briefly cite cites cited citation claim clear concise cover covers describe describes detail discuss discusses
    document explain explains give gives given include introduce key look main mention outline overview paragraph paragraphs passage
    passages point points present say says section sections set show shows source sources state states summarise summarize summary text
    topic word words write writes""".split()  # noqa: SIM905 -- a list of this length reads better so
)


@lru_cache(maxsize=STEMS_MAX)
def stem(word: str) -> str:
    """Cut a word's ending, roughly: enough for `cancelled` to meet `cancelling`."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= STEM_MIN:
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > STEM_MIN and word[-1] == word[-2] else word


@lru_cache(maxsize=TEXTS_MAX)
def terms(text: str) -> tuple[str, ...]:
    """The words that carry meaning, stemmed. Text without spaces between words is taken in pairs of characters."""
    found: list[str] = []
    for word in WORD.findall(text.casefold()):
        if word in STOPWORDS:
            continue
        if word.isascii() or len(word) <= STEM_MIN or not "\u3040" <= word[0] <= "\ud7af":
            found.append(stem(word))
        else:
            found += [word[at : at + 2] for at in range(len(word) - 1)]
    return tuple(found)


def relevance(texts: Sequence[str], queries: Sequence[tuple[str, float]], central: float = 0.0) -> list[float]:
    """How much each text bears on the weighted queries, each of them 0 to its weight.

    `central` is the weight of bearing on what most of the texts are about, which decides where the queries do not.
    """
    corpus = [terms(text) for text in texts]
    if not any(corpus):
        return [0.0] * len(texts)
    index = bm25s.BM25(b=LENGTH_NORMALISATION)
    index.index(corpus, show_progress=False)
    common = Counter(term for words in corpus for term in set(words))
    asked = [(terms(query), weight) for query, weight in queries]
    asked.append((tuple(term for term, _ in common.most_common(CENTRAL_TERMS)), central))
    total = [0.0] * len(texts)
    for query, weight in asked:
        known = [term for term in dict.fromkeys(query) if term in common]
        if not known or weight <= 0:
            continue
        scores: list[float] = index.get_scores(known).tolist()
        best = max(scores)
        if best > 0:
            total = [sum_ + weight * score / best for sum_, score in zip(total, scores, strict=True)]
    return total


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the smaller one's terms that the other has too."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def diverse(
    texts: Sequence[str],
    scores: Sequence[float],
    enough: Callable[[list[int]], bool],
    allowed: Callable[[list[int], int], bool] = lambda _chosen, _next: True,
    balance: float = 0.65,
) -> list[int]:
    """Choose texts one by one, each for its score and against its likeness to those chosen, until it is enough."""
    bags = [frozenset(terms(text)) for text in texts]
    top = max(scores, default=0.0) or 1.0
    left = list(range(len(texts)))
    alike = [0.0] * len(texts)
    chosen: list[int] = []
    while left and not enough(chosen):
        best = max(left, key=lambda at: (balance * scores[at] / top - (1 - balance) * alike[at], -at))
        left.remove(best)
        if not allowed(chosen, best):
            continue
        chosen.append(best)
        for at in left:
            alike[at] = max(alike[at], likeness(bags[at], bags[best]))
    return chosen
