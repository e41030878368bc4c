"""The blocks that a prompt is made of, and the sources they quote. Any model can read them; the simulator parses them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from html import escape

from schemas.document import Document
from schemas.passages import Passages
from services.shared.retrieval import Chosen
from services.shared.sources import SourceStore

SOURCES_KEPT_MAX = 256


def block(name: str, text: str, **attributes: object) -> str:
    """`<name a="…">text</name>`; attributes are escaped as in HTML, the text stands as it is."""
    said = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{said}>{text}</{name}>"


def passage_block(chosen: Chosen, title: str) -> str:
    """A passage. No closing tag inside a source can end a block."""
    text = chosen.passage.text.replace("</", "<\\/")
    return block("passage", text, source=chosen.source, number=chosen.passage.number, title=title)


def passage_blocks(chosen: Iterable[Chosen], sources: Mapping[str, Passages]) -> list[str]:
    """In reading order: source by source, passage by passage."""
    order = {source: place for place, source in enumerate(sources)}
    ordered = sorted(chosen, key=lambda one: (order[one.source], one.passage.number))
    return [passage_block(one, sources[one.source].name) for one in ordered]


class Sources:
    """Passages out of the object store, kept by document, source and digest."""

    def __init__(self, store: SourceStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str, str], Passages] = OrderedDict()

    async def of(self, document: Document, only: str | None = None) -> dict[str, Passages]:
        """What was read of a document's sources, or of one of them."""
        found: dict[str, Passages] = {}
        for id_, source in document.sources.items():
            if source.digest is None or (only is not None and id_ != only):
                continue
            key = (document.id, id_, source.digest)
            kept = self._kept.get(key) or await self._store.get_passages(document.id, id_, source.given.digest)
            if kept is None:
                continue
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > SOURCES_KEPT_MAX:
                self._kept.popitem(last=False)
            found[id_] = kept
        return found
