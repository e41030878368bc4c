"""What the simulator answers: prose of cited sentences, an outline, a table's cell, or plain words. Pure.

`wording` picks among ways to say the same; a prompt and a wording have one answer.
"""

from __future__ import annotations

import re
from itertools import cycle
from random import Random
from typing import Final

import msgspec

from services.simulator.claims import Run, chosen, runs
from services.simulator.json_schema import Schema, fitted
from services.simulator.outline import outline
from services.simulator.prompt import Asked, Source
from services.simulator.retrieval import terms
from services.simulator.sentences import cleaned, sentences
from services.simulator.summing_up import summed_up
from services.simulator.table_cell import table_cell

WORDS_USUAL: Final = (170, 250)
WORDS_ASKED: Final = re.compile(r"(\d{2,4})(?:\s*(?:-|–|to)\s*(\d{2,4}))?\s+words", re.IGNORECASE)  # noqa: RUF001
WORDS_RANGE: Final = (40, 600)
LIST_ASKED: Final = re.compile(r"\b(?:bullets?|bulleted|list|steps|checklist)\b", re.IGNORECASE)
PARAGRAPH_WORDS: Final = 75
ITEMS_MIN: Final = 3
ITEMS_MAX: Final = 5
TURNS: Final = (
    "{title} adds to this.",
    "More on this stands in {title}.",
    "{title} goes into the particulars.",
    "The same question comes up in {title}.",
)
LIST_LEADS: Final = (
    "In short, the sources name these points:",
    "The particulars, as the sources give them:",
    "What else bears on this:",
)


def answer(asked: Asked, wording: str) -> str:
    """The whole answer to one prompt: text, or JSON where a schema was given."""
    if asked.schema is not None:
        return msgspec.json.encode(structured(asked, asked.schema)).decode()
    if asked.earlier:
        return summed_up(asked, Random(f"{wording}/{asked.heading}"))  # noqa: S311 -- to be repeated, not to be secret
    if not asked.recognised:
        return plain(asked)
    return prose(asked, Random(f"{wording}/{asked.heading}"))  # noqa: S311


def structured(asked: Asked, schema: Schema) -> object:
    """An answer of the schema's shape."""
    properties = schema.resolved(schema).properties
    if "sections" in properties:
        return fitted(outline(asked), schema, schema)
    if {"answer", "quote"} <= properties.keys():
        return fitted(table_cell(asked, schema), schema, schema)
    said = plain(asked) if not asked.recognised else asked.heading or asked.title
    return fitted(None, schema, schema, said)


def prose(asked: Asked, random: Random) -> str:
    """A section from its passages."""
    told = chosen(relevant(asked), words_wanted(asked.instructions, random))
    if not told:
        return without_sources(asked)
    return "\n\n".join(arranged(told, asked.passages, random, listed=LIST_ASKED.search(asked.instructions) is not None))


def relevant(asked: Asked) -> list[Run]:
    """What bears on heading and instructions; where nothing does ('Introduction'), on the brief and what is central."""
    named_terms = set(terms(f"{asked.heading} {asked.instructions}"))
    known = {term for passage in asked.passages for term in terms(passage.text)}
    if named_terms & known:
        return runs(asked.passages, [(asked.heading, 1.0), (asked.instructions, 0.8), (asked.brief, 0.15)], 0.1)
    return runs(asked.passages, [(f"{asked.title} {asked.brief}", 1.0)], 0.6)


def words_wanted(instructions: str, random: Random) -> int:
    """How long the text shall be: as instructed, or what is usual."""
    found = WORDS_ASKED.search(instructions)
    if found is None:
        return random.randint(*WORDS_USUAL)
    return max(WORDS_RANGE[0], min(int(found[2] or found[1]), WORDS_RANGE[1]))


def arranged(told: list[Run], passages: tuple[Source, ...], random: Random, *, listed: bool) -> list[str]:
    """Paragraphs, the best run first and the others as their sources have them; then, if it makes sense, a list."""
    best, rest = told[0], sorted(told[1:], key=lambda run: (run.passage, run.at))
    items = [run for run in rest if listed or run.item]
    if len(items) < ITEMS_MIN:
        items = []
    items = sorted(items, key=lambda run: -run.score)[:ITEMS_MAX]
    items.sort(key=lambda run: (run.passage, run.at))
    flowing = [run for run in rest if run not in items]
    turns = cycle(random.sample(TURNS, len(TURNS)))
    paragraphs: list[list[str]] = [[best.marked()]]
    length, before = best.words(), passages[best.passage]
    # What stands in the best run's own source goes on from it.
    for run in sorted(flowing, key=lambda run: passages[run.passage].source != before.source):
        here = passages[run.passage]
        if here.source != before.source or length + run.words() > PARAGRAPH_WORDS:
            turn = next(turns).format(title=named(here)) if here.source != before.source and here.title else ""
            paragraphs.append([turn] if turn else [])
            length = 0
        paragraphs[-1].append(run.marked())
        length += run.words()
        before = here
    text = [" ".join(paragraph) for paragraph in paragraphs]
    if items:
        text.append(f"{random.choice(LIST_LEADS)}\n\n" + "\n".join(f"- {run.marked()}" for run in items))
    return text


def named(source: Source) -> str:
    """A source's title, to stand in a sentence."""
    title = re.sub(r"\.(?:md|txt|pdf|html?|docx?)$", "", source.title.strip()).replace("_", " ")
    return f"*{title}*" if title else f"source {source.source}"


def without_sources(asked: Asked) -> str:
    """A short text out of brief and instructions alone, which says that it is one."""
    if asked.passages:
        honest = "None of the passages given for this section bears on it, so it rests on the brief alone."
    else:
        honest = "No sources were given for this section, so it rests on the brief alone and makes no claim beyond it."
    wants = [sentence.text for sentence in sentences(asked.brief)][:2]
    tells = [sentence.text for sentence in sentences(asked.instructions)][:4]
    parts = [honest]
    if wants:
        parts.append("The brief: " + " ".join(_stopped(text) for text in wants))
    if tells:
        parts.append("What belongs here:\n\n" + "\n".join(f"- {_stopped(text)}" for text in tells))
    parts.append("With sources at hand, each of these points can be answered and traced back to the words it rests on.")
    return "\n\n".join(parts)


def plain(asked: Asked) -> str:
    """An answer to a prompt of no known form, from its own text: the sentences that bear on its last one."""
    own = [sentence for sentence in sentences(asked.user) if sentence.text]
    if not own:
        return "There is nothing to answer: the prompt is empty."
    question = own[-1].text
    source = Source("prompt", 1, "", asked.user)
    told = [run for run in chosen(runs([source], [(question, 1.0)]), WORDS_USUAL[0]) if question not in run.text()]
    if not told:
        return (
            f"You ask: “{cleaned(question)[:300]}” I answer from the text that I am given, and this prompt holds none beyond "
            "the question. Put the sources into the prompt, and I will answer from them."
        )
    return " ".join(run.text() for run in sorted(told, key=lambda run: run.at))


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
