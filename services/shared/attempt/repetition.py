"""Notices a text that goes round in a circle. Pure, and of bounded cost however long the text is."""

from __future__ import annotations

REPEATED_CHARACTERS_MIN = 600
REPEATS_MIN = 5
WINDOW_CHARACTERS = 4_000
"""The longest circle that is noticed has a fifth of this."""
NEEDLE_CHARACTERS = 32
CANDIDATES_MAX = 8
LOOK_EVERY_CHARACTERS = 256
"""Whoever asks does so after this much new text: a look costs some 10 µs."""


def repeats(text: str) -> bool:
    """Whether the end of `text` is one piece said REPEATS_MIN times in a row, REPEATED_CHARACTERS_MIN in all.

    The last few characters are looked for further up; the distance to where they stand is the length of a possible circle, and
    comparing slices tells whether it is one. Rules and rows of blanks are no circle: a piece has to have letters.
    """
    tail = text[-WINDOW_CHARACTERS:]
    if len(tail) < REPEATED_CHARACTERS_MIN:
        return False
    needle = tail[-NEEDLE_CHARACTERS:]
    end = len(tail) - 1
    for _ in range(CANDIDATES_MAX):
        at = tail.rfind(needle, 0, end)
        if at < 0:
            return False
        period = len(tail) - NEEDLE_CHARACTERS - at
        count = max(REPEATS_MIN, -(-REPEATED_CHARACTERS_MIN // period))
        piece = tail[-period:]
        if period * count > len(tail):
            return False
        if tail.endswith(piece * count) and any(character.isalnum() for character in piece):
            return True
        end = at + NEEDLE_CHARACTERS - 1
    return False
