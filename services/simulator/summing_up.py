"""A section written from other sections: their best sentences, markers and all. Pure."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from services.simulator.claims import LEANING, chosen, runs, worded
from services.simulator.prompt import Asked, Earlier
from services.simulator.retrieval import relevance
from services.simulator.sentences import sentences

MARKER: Final = re.compile(r"\s*\[\[[^\[\]]*\]\]")
HELD: Final = re.compile(r"\x02(\d+)\x03")
WORDS: Final = (6, 45)
TOTAL_WORDS: Final = 230
SHORT: Final = 3
EARLINESS: Final = 1.0
LEADS: Final = (
    "What the sections above establish, in brief:",
    "Taken together, the sections come down to this:",
    "The main results, one section at a time:",
)


def summed_up(asked: Asked, random: Random) -> str:
    """Each earlier section by its best sentences; then what its own passages add; then what is missing."""
    each = max(1, min(3, TOTAL_WORDS // (28 * len(asked.earlier))))
    told: list[tuple[Earlier, list[str]]] = []
    for part in asked.earlier:
        best = _best(part, asked, each, {sentence for _, others in told for sentence in others})
        if best:
            told.append((part, best))
    parts: list[str] = []
    if len(told) <= SHORT:
        parts += [" ".join(best) for _, best in told]
    else:
        parts.append(random.choice(LEADS))
        parts.append("\n".join(f"- **{part.heading or part.section}.** {' '.join(best)}" for part, best in told))
    parts += [f"{line}." for line in asked.sums]  # Quoted as they stand: they are exact.
    own = chosen(runs(asked.passages, [(asked.heading, 1.0), (asked.instructions, 0.8)]), 70, runs_max=2)
    if own:
        parts.append(" ".join(run.marked() for run in own))
    parts += [
        f"The section “{section}” was not written, so nothing of it is summed up here." for section, _ in asked.missing
    ]
    return "\n\n".join(parts) or "The sections that this one depends on hold no text to sum up."


def _best(part: Earlier, asked: Asked, most: int, said: set[str]) -> list[str]:
    """The sentences of a finished section that say the most, in its own order, each with the markers that follow it.

    A section begins with what matters most, so that earlier sentences weigh more. What was `said` is not said again.
    """
    markers: list[str] = []

    def hold(match: re.Match[str]) -> str:
        markers.append(match[0].strip())
        return f"\x02{len(markers) - 1}\x03"

    held = MARKER.sub(hold, part.text)
    # A marker may stand before the stop or after it; here it stands before, so that no sentence loses it.
    held = re.sub(r"([.!?…]+)((?:\x02\d+\x03)+)", r"\2\1", held)
    found: list[tuple[str, str]] = []
    for sentence in sentences(held):
        text = HELD.sub("", sentence.text)
        own = " ".join(markers[int(number)] for number in HELD.findall(sentence.raw))
        if WORDS[0] <= len(text.split()) <= WORDS[1] and not LEANING.match(text) and not text.endswith((":", "?")):
            found.append((worded(text), own))
    if not found:
        # A table's cells: short answers, one a line.
        return [cut for line in part.text.splitlines()[:most] if (cut := line.strip(" -*|"))]
    cited = [pair for pair in found if pair[1]] or found
    cited = [pair for pair in cited if " ".join(filter(None, pair)) not in said] or cited
    queries = [(part.heading, 1.0), (asked.instructions, 0.5), (asked.brief, 0.5)]
    scores = relevance([text for text, _ in cited], queries, central=0.5)
    weights = [score + EARLINESS * (1 - at / len(cited)) for at, score in enumerate(scores)]
    first = sorted(range(len(cited)), key=lambda at: (-weights[at], at))[:most]
    return [" ".join(filter(None, cited[at])) for at in sorted(first)]
