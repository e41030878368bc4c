"""Text that others wrote, made safe for a terminal. Pure."""

from __future__ import annotations

from typing import Final

# C0 and C1 controls, DEL: a source or a model may not move the cursor, ring, or name the window. Line ends and tabs stay.
_CONTROLS: Final = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}
_CONTROLS[ord("\r")] = ""


def plain(text: str) -> str:
    """Without what a terminal would obey."""
    return text.translate(_CONTROLS)
