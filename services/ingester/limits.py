"""What is too much, and the error that says so to a reader."""

from __future__ import annotations

CHARACTERS_MAX = 5_000_000
PAGES_MAX = 2_000
EXTRACT_S = 60.0
"""How long a parser may take for one source."""
EXTRACT_BYTES_MAX = 3 * 1024**3
"""Address space of the process that runs it."""


class UnreadableError(ValueError):
    """A source that cannot be read; the message is for the reader of the document."""
