"""A document's outline from its brief and what its passages are about. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from services.simulator.prompt import Asked
from services.simulator.retrieval import WORD, likeness, relevance, terms
from services.simulator.sentences import cleaned, sentences

COUNTED: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS: Final = {word: number for number, word in enumerate(COUNTED, start=1)}
NUMBER: Final = r"(\d{1,2}|" + "|".join(NUMBERS) + ")"
COUNT: Final = re.compile(
    rf"\b{NUMBER}(?:\s*(?:-|\u2013|to|and|or)\s*{NUMBER})?\s+(?:\w+\s+)?(?:sections|parts|chapters)\b",
    re.IGNORECASE,
)
USUAL: Final = (5, 9)
BOUNDS: Final = (2, 20)
FENCED: Final = re.compile(r"^\s{0,3}(```|~~~).*?(?:^\s{0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
NO_HEADING: Final = re.compile(r"[=(){}<>@$|\\]|\b(?:you|we|i|your|let's|if|don't)\b|https?:|[.!?]$", re.IGNORECASE)
TITLE: Final = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
HEADING: Final = re.compile(r"^#{2,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ITEM: Final = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+(.{3,120})$", re.MULTILINE)
ENUMERATION: Final = re.compile(
    r"\b(?:cover(?:ing|s)?|includ(?:e|es|ing)|address(?:ing)?|explain(?:ing|s)?|compar(?:e|es|ing)|discuss(?:ing)?|describ(?:e|es|ing)|"
    r"sections? (?:on|about)|about|on|with|[a-z]\w*(?=:))\s*:?\s+((?:[^,.;:\n]{3,70},\s*)+(?:and|or|as well as)?\s*[^,.;:\n]{3,70})",
    re.IGNORECASE,
)
NUMBERED: Final = re.compile(r"^\s*(?:(?:chapter|section|part)\s+)?(?:\d+|[ivx]+)(?:\.\d+)*[.):]?\s+", re.IGNORECASE)
EMPTY_HEADINGS: Final = re.compile(
    r"^(?:introduction|overview|contents|table of contents|summary|conclusions?|abstract|references|bibliography|appendix.*|"
    r"acknowledge?ments?|licen[cs]e|licen[cs]ing|cit(?:ing|ation).*|contribut.*|documentation|install.*|quick ?start|getting started|"
    r"community|support|development|contact|funding|sponsors?|authors?|credits|news|status|links|resources|features|roadmap|changelog|notes?|index|see also|further reading|about|preface)$",
    re.IGNORECASE,
)
HEADING_WORDS_MAX: Final = 9
HEADING_WORDS_OPEN: Final = 3  # 'what each is for' has no word of weight, and is one
ALIKE: Final = 0.67
AROUND_CHARACTERS_MIN: Final = 5
SUMMARY: Final = "Summary"


def outline(asked: Asked) -> dict[str, Any]:
    """`{"title", "sections": [{"id", "heading", "instructions", "depends_on"}]}`, a summary of all others last."""
    least, most = sections_wanted(asked)
    topics = _apart(_topics(asked), most - 1)
    for filler in ("Background", "How it works", "What it is good for", "Limits and risks", "What follows"):
        if len(topics) >= least - 1:
            break
        topics.append(filler)
    sections: list[dict[str, Any]] = []
    for topic in topics:
        sections.append(
            {
                "id": _slug(topic, [s["id"] for s in sections]),
                "heading": topic,
                "instructions": _instructions(topic, asked),
                "depends_on": [],
            }
        )
    others = [section["id"] for section in sections]
    sections.append(
        {
            "id": _slug(SUMMARY, others),
            "heading": SUMMARY,
            "instructions": "Sum up what the other sections found, in a few sentences, with their most important evidence.",
            "depends_on": others,
        }
    )
    return {"title": _title(asked), "sections": sections}


def sections_wanted(asked: Asked) -> tuple[int, int]:
    """How many sections, at least and at most, the summary included: as the brief says, else the plan, else the usual."""
    for text in (asked.brief, asked.plan):
        found = COUNT.search(text)
        if found:
            counts = [int(n) if n.isdigit() else NUMBERS[n.lower()] for n in (found[1], found[2]) if n]
            low, high = min(counts), max(counts)
            if low == high or text is asked.brief:
                return tuple(max(BOUNDS[0], min(n, BOUNDS[1])) for n in (low, high))  # type: ignore[return-value]
            return max(low, min(USUAL[0], high)), max(low, min(USUAL[1] - 1, high))
    return USUAL[0], USUAL[1] - 1


def _topics(asked: Asked) -> list[str]:
    """What to write about, best first: what the brief lists, what the sources' headings name, what they often speak of."""
    brief = f"{asked.brief}\n{asked.plan}" if not asked.brief else asked.brief
    listed = [item for item in ITEM.findall(brief) if len(item.split()) <= HEADING_WORDS_MAX * 2]
    if not listed:
        listed = [part for match in ENUMERATION.findall(brief) for part in _parted(match)]
    texts = [FENCED.sub("", passage.text) for passage in asked.passages]
    # A single # is a document's title, or a comment in a program: it counts where there is no other.
    headings = [name for text in texts for name in HEADING.findall(text)]
    headings = headings or [name for text in texts for name in TITLE.findall(text)]
    headings = [heading for heading in headings if not NO_HEADING.search(cleaned(heading))]
    headings = [name for name in dict.fromkeys(map(_heading, headings)) if name and not EMPTY_HEADINGS.match(name)]
    # A source's own title, or the document's, is no part of what is written about.
    headings = [name for name in headings if name.casefold() not in {asked.title.casefold(), *_names(asked)}]
    scores = relevance(headings, [(f"{asked.title} {asked.brief}", 1.0)], central=0.4) if headings else []
    by_score = [headings[at] for at in sorted(range(len(headings)), key=lambda at: -scores[at])]
    return [name for name in (*map(_heading, listed), *by_score, *_phrases(asked)) if name]


def _names(asked: Asked) -> set[str]:
    return {passage.title.rpartition(".")[0].casefold() or passage.title.casefold() for passage in asked.passages}


def _parted(enumeration: str) -> list[str]:
    parts = re.split(r",\s*(?:(?:and|or|as well as)\s+)?|\s+(?:and|or|as well as)\s+(?=[^,]*$)", enumeration)
    return [part.strip() for part in parts if part.strip()]


def _phrases(asked: Asked) -> list[str]:
    """Pairs of words that come up the most often in the passages' prose, those of the brief first."""
    counts: Counter[str] = Counter()
    wanted = set(terms(f"{asked.title} {asked.brief}"))
    for passage in asked.passages:
        for sentence in sentences(passage.text):
            words = WORD.findall(cleaned(sentence.raw))
            for one, other in pairwise(words):
                pair = terms(f"{one} {other}")
                if len(pair) == 2 and not any(word.isdigit() for word in (one, other)):  # noqa: PLR2004 -- a pair
                    counts[f"{one} {other}".lower()] += 3 if wanted & set(pair) else 1
    often = 2
    return [_heading(phrase) for phrase, count in counts.most_common(20) if count >= often]


def _apart(topics: Iterable[str], most: int) -> list[str]:
    """The first topics that are not each other in other words."""
    kept: list[str] = []
    for topic in topics:
        bag = frozenset(terms(topic))
        if len(kept) < most and not any(likeness(bag, frozenset(terms(other))) >= ALIKE for other in kept):
            kept.append(topic)
    return kept


def _heading(text: str) -> str:
    """A phrase as a heading; empty where it makes none."""
    text = NUMBERED.sub("", cleaned(text)).strip(" .,;:–—`\"'")  # noqa: RUF001
    text = re.split(r"[:;–—(]\s", text)[0].strip()  # noqa: RUF001
    words = text.split()
    if len(words) > HEADING_WORDS_MAX:
        text = " ".join(words[:HEADING_WORDS_MAX]).rstrip(",")
    return text[:1].upper() + text[1:] if terms(text) or len(words) >= HEADING_WORDS_OPEN else ""


def _instructions(topic: str, asked: Asked) -> str:
    """What the section's writer is told: the topic, and what else the sources say around it."""
    told = [sentence.text for passage in asked.passages for sentence in sentences(passage.text)]
    scores = relevance(told, [(topic, 1.0)]) if told else []
    near = sorted((at for at in range(len(told)) if scores[at] > 0), key=lambda at: -scores[at])[:6]
    own = set(terms(topic))
    counts = Counter(
        word.lower()
        for at in near
        for word in WORD.findall(told[at])
        if len(word) >= AROUND_CHARACTERS_MIN and terms(word) and not own & set(terms(word))
    )
    around = [word for word, _ in counts.most_common(4)]
    begin = f"{topic}: what the sources say about it, point by point, every claim cited."
    return f"{begin} Look also for {', '.join(around)}." if around else begin


def _slug(heading: str, taken: list[str]) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "section"
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


def _title(asked: Asked) -> str:
    if asked.title:
        return asked.title
    first = next((sentence.text for sentence in sentences(asked.brief)), "") or asked.brief
    first = re.sub(
        r"^(?:please\s+)?(?:write|explain|describe|give|make|create|produce)\s+(?:me\s+)?(?:(?:a|an|the)\s+)?",
        "",
        first,
        flags=re.IGNORECASE,
    )
    words = first.strip(" .?!").split()
    title = " ".join(words[:10])
    return title[:1].upper() + title[1:] or "Untitled"
