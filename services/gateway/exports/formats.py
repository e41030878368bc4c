"""Which of its forms a document is asked for: by `?format=`, else by `Accept` (RFC 9110 §12.5.1). Pure."""

from __future__ import annotations

from typing import Final, Literal

Format = Literal["json", "md", "html", "docx", "csv"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "md": "text/markdown",
    "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "csv": "text/csv",
}


def accepted(accept: str) -> Format | None:
    """The one that is wanted most; of several wanted alike, the first of MEDIA_TYPES. None: none of them will do."""
    best: tuple[float, Format | None] = (0.0, None)
    ranges = [_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    for format_, media_type in MEDIA_TYPES.items():
        wildcard = f"{media_type.partition('/')[0]}/*"
        # The most exact range that matches says how much it is wanted.
        matching = [quality for name in (media_type, wildcard, "*/*") for range_, quality in ranges if range_ == name]
        if matching and matching[0] > best[0]:
            best = (matching[0], format_)
    return best[1]


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().casefold() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return name, 0.0
    return name, 1.0
