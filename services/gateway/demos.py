"""Ready-made documents: `demo/<name>/document.json`, a request body whose sources name files beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.requests import DocumentAsked
from services.gateway.page_files import DEMOS
from services.gateway.problems import FieldError, Problem


def offered() -> list[dict[str, str]]:
    """Name, title and brief of each."""
    found: list[dict[str, str]] = []
    for file in sorted(DEMOS.glob("*/document.json")):
        body = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        found.append({"name": file.parent.name, "title": body.get("title", ""), "brief": body["brief"]})
    return found


def load(name: str) -> DocumentAsked:
    """One of them, with its sources read in. Problem 422 where there is none of that name."""
    if name not in {offer["name"] for offer in offered()}:
        raise Problem(422, f"/name: there is no demo {name!r}.", [FieldError("/name", "no such demo")])
    folder = DEMOS / name
    body = msgspec.json.decode((folder / "document.json").read_bytes(), type=dict[str, Any])
    body["sources"] = [
        {"name": source["name"], "text": (folder / source["file"]).read_text(encoding="utf-8")}
        for source in body.get("sources", [])
    ]
    return msgspec.convert(body, DocumentAsked)
