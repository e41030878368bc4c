"""Ready-made documents: `demo/<name>/document.json`, a request body with a description, whose sources name files beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.requests import Demo, DocumentAsked
from services.gateway.page_files import DEMOS
from services.gateway.problems import FieldError, Problem


def offered() -> list[Demo]:
    """All of them, by name."""
    found: list[Demo] = []
    for file in sorted(DEMOS.glob("*/document.json")):
        body = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        found.append(
            Demo(
                name=file.parent.name,
                title=body["title"],
                brief=body["brief"],
                description=body["description"],
                sections=len(body["outline"]["sections"]),
                sources=len(body["sources"]),
            )
        )
    return found


def load(name: str) -> DocumentAsked:
    """One of them, with its sources read in. Problem 422 where there is none of that name."""
    if name not in {offer.name for offer in offered()}:
        raise Problem(422, f"/name: there is no demo {name!r}.", [FieldError("/name", "no such demo")])
    folder = DEMOS / name
    body = msgspec.json.decode((folder / "document.json").read_bytes(), type=dict[str, Any])
    del body["description"]  # Which is for whoever chooses among them.
    body["sources"] = [
        {"name": source["name"], "text": (folder / source["file"]).read_text(encoding="utf-8")}
        for source in body.get("sources", [])
    ]
    return msgspec.convert(body, DocumentAsked)
