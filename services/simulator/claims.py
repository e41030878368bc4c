"""From passages to claims: runs of sentences that read well by themselves, each with a marker and an exact quote. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from services.simulator.prompt import Source
from services.simulator.retrieval import diverse, relevance, terms
from services.simulator.sentences import Sentence, sentences

QUOTE_WORDS_MAX: Final = 25
QUOTE_WORDS_MIN: Final = 4
QUOTE_WORDS_GOOD: Final = 8
QUOTE_CHARACTERS_MAX: Final = 300
QUOTE_CHARACTERS_MIN: Final = 16
QUOTE_CHARACTERS_UNSPACED: Final = 60
SENTENCE_WORDS: Final = (6, 48)
RUN_MAX: Final = 3
RUN_DISCOUNT: Final = 0.62
SHAPELESS: Final = 0.55
FLOOR: Final = 0.4
CONTEXT: Final = 0.7
"""What a passage as a whole counts beside the sentence: its heading often names what its sentences only mean."""
LENGTH_WORDS: Final = (12, 34)
OFF_LENGTH: Final = 0.8
CODE_MARKS_MAX: Final = 6
CODED: Final = 0.6
UNQUOTABLE: Final = re.compile(r"[\"\[\]]|\*+|__|\(https?://[^)]*\)|https?://\S+|<[^>]*>")
FORBIDDEN: Final = re.compile(r"[\"\[\]]|\(https?://[^)]*\)|https?://\S+")
CLAUSE: Final = re.compile(r"(?<=[,;:)–—])\s+")  # noqa: RUF001 -- dashes end clauses
LEANING: Final = re.compile(
    r"^(?:it|its|this|these|those|that|they|them|their|he|she|his|her|such|both|here|there(?:fore|by)|the (?:former|latter|same)|"
    r"below|above|welcome|another|others?|one more|either|neither|hence|so|then|thus|otherwise|instead|also|but|and|or|nor|yet|because|which|see|"
    r"note that|for (?:example|instance)|in (?:contrast|other words|that|this|these|addition)|as (?:above|before|such|a result)|"
    r"on the other hand|by contrast|similarly|likewise|again|second(?:ly)?|third(?:ly)?|finally|at once|if (?:so|not)|still|we|i|"
    r"nothing|not)\b",
    re.IGNORECASE,
)
POINTING: Final = re.compile(
    r"\b(?:(?:see|as|table|figure|fig|section|chapter|listed|shown|described|mentioned|everything) (?:above|below)|the following|"
    r"(?:above|below)\.$|this (?:page|section|chapter|document|article|guide|post|paper|book|table|figure|example)|"
    r"(?:click|tap) (?:on |here)|read more|in (?:table|figure|section|chapter|fig\.) \d)",
    re.IGNORECASE,
)
"""Speaks of the page that it stands on: not to be said anywhere else."""
BIBLIOGRAPHIC: Final = re.compile(
    r"\b(?:Proceedings|doi|arXiv|ISBN|et al)\b|\bpp?\. ?\d|^\W*[A-Z][\w'-]+, [A-Z]\.|Copyright|All rights reserved"
)
ASIDE: Final = re.compile(r"\s*\((?:see|cf\.?|e\.g\.,? see)\b[^()]*\)", re.IGNORECASE)
DANGLING: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "so",
        "that",
        "the",
        "this",
        "to",
        "was",
        "were",
        "which",
        "with",
    ]
)
LEAD: Final = re.compile(
    r"^(?:however|moreover|furthermore|also|in addition|additionally|indeed|of course|in fact|finally|therefore|thus|hence|"
    r"for (?:example|instance)|still|similarly|consequently|as a result)[,:]\s+|^(?:and|but|so|yet)\s+(?=[a-z])",
    re.IGNORECASE,
)


class Claim(msgspec.Struct, frozen=True):
    """A sentence to be said, and what stands for it."""

    text: str
    source: str
    number: int
    raw: str
    """The source's sentence to the letter."""
    wanted: frozenset[str]
    """The terms that the quote should hold."""

    @property
    def quote(self) -> str:
        """The words that stand for it."""
        return quote_of(self.raw, self.wanted)

    def marked(self) -> str:
        """The sentence, followed by its marker."""
        return f'{self.text} [[{self.source}:{self.number} "{self.quote}"]]'


class Run(msgspec.Struct, frozen=True):
    """One to three sentences that follow each other in one passage."""

    claims: tuple[Claim, ...]
    passage: int
    """Its passage's place in the prompt."""
    at: int
    """Its first sentence's place in the passage."""
    item: bool
    score: float
    """What it adds; grows with its length, but slower."""
    worth: float
    """What its sentences are worth on average."""

    def text(self) -> str:
        """All its sentences."""
        return " ".join(claim.text for claim in self.claims)

    def marked(self) -> str:
        """All its sentences with their markers."""
        return " ".join(claim.marked() for claim in self.claims)

    def words(self) -> int:
        """How long it reads."""
        return len(self.text().split())


def quote_of(raw: str, wanted: frozenset[str]) -> str:
    """At most QUOTE_WORDS_MAX words of a sentence, to the letter but for white space.

    A quote holds no quotation mark and no bracket, and begins and ends at clauses where the sentence is longer. It holds
    no emphasis either, if there is enough to quote without.
    """
    clean = _quote(UNQUOTABLE.split(raw), wanted)
    if len(clean.split()) >= QUOTE_WORDS_GOOD:
        return clean
    loose = FORBIDDEN.split(raw)
    # Where words are not set apart by spaces, the beginning of the longest part has to do.
    return _quote(loose, wanted) or clean or max(loose, key=len).strip()[:QUOTE_CHARACTERS_UNSPACED]


def _quote(parts: Sequence[str], wanted: frozenset[str]) -> str:
    best, best_rank = "", (-1.0, 0)
    for part in parts:
        clauses = [clause.split() for clause in CLAUSE.split(part.strip())]
        for first in range(len(clauses)):
            words: list[str] = []
            for clause in clauses[first:]:
                if words and len(words) + len(clause) > QUOTE_WORDS_MAX:
                    break
                words += clause[: QUOTE_WORDS_MAX - len(words)]
                quote = _trimmed(words)
                rank = (len(wanted.intersection(terms(quote))) + len(words) / 5, -first)
                if len(words) >= QUOTE_WORDS_MIN and len(quote) <= QUOTE_CHARACTERS_MAX and rank > best_rank:
                    best, best_rank = quote, rank
    return best


def _trimmed(words: Sequence[str]) -> str:
    """Words without those at the end that wait for more."""
    end = len(words)
    while end > QUOTE_WORDS_MIN and words[end - 1].casefold() in DANGLING:
        end -= 1
    return " ".join(words[:end]).strip(" ,;:–—.")  # noqa: RUF001


def worded(text: str) -> str:
    """A source's sentence as one of ours: no leading connective, a capital first, a stop last."""
    text = LEAD.sub("", ASIDE.sub("", text)).strip()
    text = text[:1].upper() + text[1:] if not text[:1].isdigit() else text
    text = text.rstrip(" ,;:–—")  # noqa: RUF001
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def usable(sentence: Sentence) -> bool:
    """Whether a sentence can be said: of a readable length, mostly words, balanced, no question, no reference."""
    text = sentence.text
    count = len(text.split()) if " " in text else len(text) // 3
    if not SENTENCE_WORDS[0] <= count <= SENTENCE_WORDS[1] or text.endswith(("?", ":")):
        return False
    if POINTING.search(ASIDE.sub("", text)) or BIBLIOGRAPHIC.search(text):
        return False
    letters = sum(character.isalpha() or character.isspace() for character in text)
    balanced = (
        all(text.count(one) == text.count(other) for one, other in ("()", "[]", "{}")) and text.count("`") % 2 == 0
    )
    return letters >= len(text) * 0.72 and balanced and "→" not in text and "|" not in text


def runs(passages: Sequence[Source], queries: Sequence[tuple[str, float]], central: float = 0.3) -> list[Run]:
    """All runs of all passages that can stand by themselves, with their scores."""
    found = [
        (place, at, sentence)
        for place, passage in enumerate(passages)
        for at, sentence in enumerate(sentences(passage.text))
    ]
    scores = _scores(passages, [(place, sentence) for place, _, sentence in found], queries, central)
    wanted = frozenset(term for query, _ in queries for term in terms(query))
    claims = [_claim(passages[place], sentence, wanted) for place, _, sentence in found]
    every: list[Run] = []
    for first, (place, at, sentence) in enumerate(found):
        if claims[first] is None or LEANING.match(sentence.text):
            continue
        run: list[Claim] = []
        sum_ = 0.0
        for next_ in range(first, min(first + RUN_MAX, len(found))):
            claim = claims[next_]
            if claim is None or found[next_][0] != place or found[next_][2].block != sentence.block:
                break
            run.append(claim)
            sum_ += scores[next_]
            every.append(Run(tuple(run), place, at, sentence.item, sum_ / len(run) ** RUN_DISCOUNT, sum_ / len(run)))
    return every


def _scores(
    passages: Sequence[Source],
    found: Sequence[tuple[int, Sentence]],
    queries: Sequence[tuple[str, float]],
    central: float,
) -> list[float]:
    """What each sentence is worth: its own relevance, its passage's, and whether it reads as a sentence."""
    own = relevance([sentence.text for _, sentence in found], queries, central)
    whole = relevance([passage.text for passage in passages], queries)
    return [
        (score + CONTEXT * whole[place])
        * (1.0 if sentence.ends else SHAPELESS)
        * (1.0 if sentence.text.count("`") <= CODE_MARKS_MAX else CODED)
        * (1.0 if LENGTH_WORDS[0] <= len(sentence.text.split()) <= LENGTH_WORDS[1] else OFF_LENGTH)
        for score, (place, sentence) in zip(own, found, strict=True)
    ]


def _claim(passage: Source, sentence: Sentence, wanted: frozenset[str]) -> Claim | None:
    if not usable(sentence) or not passage.source or passage.number < 1:
        return None
    if max(len(part.strip()) for part in FORBIDDEN.split(sentence.raw)) < QUOTE_CHARACTERS_MIN:
        return None
    return Claim(worded(sentence.text), passage.source, passage.number, sentence.raw, wanted)


def chosen(every: Sequence[Run], words_max: int, runs_max: int = 8) -> list[Run]:
    """The runs to be told, best first: relevant, unlike each other, about so many words in all."""
    top = max((run.worth for run in every), default=0.0)
    able = [run for run in every if run.worth >= top * FLOOR and top > 0]

    def words(picked: list[int]) -> int:
        return sum(able[at].words() for at in picked)

    def apart(picked: list[int], next_: int) -> bool:
        run = able[next_]
        overlaps = any(
            able[at].passage == run.passage and abs(able[at].at - run.at) < max(len(able[at].claims), len(run.claims))
            for at in picked
        )
        return not overlaps and (not picked or words(picked) + run.words() <= words_max * 1.15)

    picked = diverse(
        [run.text() for run in able],
        [run.score for run in able],
        lambda so_far: len(so_far) >= runs_max or words(so_far) >= words_max,
        apart,
    )
    return [able[at] for at in picked]
