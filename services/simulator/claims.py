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
QUOTE_CHARACTERS_MAX: Final = 300
SENTENCE_WORDS: Final = (6, 48)
RUN_MAX: Final = 3
RUN_DISCOUNT: Final = 0.62
SHAPELESS: Final = 0.55
FLOOR: Final = 0.22
UNQUOTABLE: Final = re.compile(r"[\"\[\]]|\*+|__|\(https?://[^)]*\)|https?://\S+|<[^>]*>")
CLAUSE: Final = re.compile(r"(?<=[,;:)–—])\s+")  # noqa: RUF001 -- dashes end clauses
LEANING: Final = re.compile(
    r"^(?:it|its|this|these|those|that|they|them|their|he|she|his|her|such|both|here|there(?:fore|by)|the (?:former|latter|same)|"
    r"another|others?|one more|either|neither|hence|so|then|thus|otherwise|instead|also|but|and|or|nor|yet|because|which|see|"
    r"note that|for (?:example|instance)|in (?:contrast|other words|that|this|these|addition)|as (?:above|before|such|a result)|"
    r"on the other hand|by contrast|similarly|likewise|again|second(?:ly)?|third(?:ly)?|finally|at once|if (?:so|not)|still|we|i|"
    r"nothing|not)\b",
    re.IGNORECASE,
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
    quote: str

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
    """At most QUOTE_WORDS_MAX words of a sentence, to the letter but for white space; empty where none can be quoted.

    A quote holds no quotation mark and no bracket, and begins and ends at clauses where the sentence is longer.
    """
    best, best_rank = "", (-1.0, 0)
    for part in UNQUOTABLE.split(raw):
        clauses = [clause.split() for clause in CLAUSE.split(part.strip())]
        for first in range(len(clauses)):
            words: list[str] = []
            for clause in clauses[first:]:
                if words and len(words) + len(clause) > QUOTE_WORDS_MAX:
                    break
                words += clause[: QUOTE_WORDS_MAX - len(words)]
                quote = " ".join(words).strip(" ,;:–—.")  # noqa: RUF001
                rank = (len(wanted.intersection(terms(quote))) + min(len(words), QUOTE_WORDS_MAX) / 10, -first)
                if len(words) >= QUOTE_WORDS_MIN and len(quote) <= QUOTE_CHARACTERS_MAX and rank > best_rank:
                    best, best_rank = quote, rank
    return best


def worded(text: str) -> str:
    """A source's sentence as one of ours: no leading connective, a capital first, a stop last."""
    text = LEAD.sub("", text).strip()
    text = text[:1].upper() + text[1:] if not text[:1].isdigit() else text
    text = text.rstrip(" ,;:–—")  # noqa: RUF001
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def usable(sentence: Sentence) -> bool:
    """Whether a sentence can be said: of a readable length, mostly words, balanced, no question, no reference."""
    text = sentence.text
    count = len(text.split()) if " " in text else len(text) // 3
    if not SENTENCE_WORDS[0] <= count <= SENTENCE_WORDS[1] or text.endswith(("?", ":")):
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
    scores = relevance([sentence.text for _, _, sentence in found], queries, central)
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
            sum_ += scores[next_] * (1.0 if found[next_][2].ends else SHAPELESS)
            every.append(Run(tuple(run), place, at, sentence.item, sum_ / len(run) ** RUN_DISCOUNT))
    return every


def _claim(passage: Source, sentence: Sentence, wanted: frozenset[str]) -> Claim | None:
    if not usable(sentence) or not passage.source or passage.number < 1:
        return None
    quote = quote_of(sentence.raw, wanted)
    return Claim(worded(sentence.text), passage.source, passage.number, quote) if quote else None


def chosen(every: Sequence[Run], words_max: int, runs_max: int = 8) -> list[Run]:
    """The runs to be told, best first: relevant, unlike each other, about so many words in all."""
    top = max((run.score for run in every), default=0.0)
    able = [run for run in every if run.score >= top * FLOOR and top > 0]

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
