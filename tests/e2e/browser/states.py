"""Documents in every state that a reader can meet: made once, by the real system, for all who look at them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import httpx2

from schemas.cells import text_of
from schemas.document import Document, Done, Paused, Queued, Retrying, Running, decode
from tests.dictated import MODEL, DictatedModel
from tests.e2e.browser.reading import LICENSE, ROOT, cookies_of, create, in_the_log, until

WORDS: Final = (
    "A licence says what others may do with a work. This one lets them **use, change and pass on** the work",
    ', also for money [[s1:1 "Apache License"]]. It asks for little in return:\n\n- keep the notices\n- say what was changed\n\n',
    "| who | may | must |\n|---|---|---|\n| a user | use it | nothing |\n| a vendor | sell it | keep the notices |\n\n",
    "> The Work is provided on an “as is” basis.\n\nIn code: `SPDX-License-Identifier: Apache-2.0`, and more:\n\n",
    "```\nCopyright [yyyy] [name of copyright owner]\n```\n",
)
FOR_EVER = 86_400_000
BRIEF: Final = (
    "What may others do with this software, and what does the licence ask of them? For somebody who is no lawyer."
)
BY_HAND: Final = 'Take it, use it, change it, pass it on, also for money [[s1:1 "Apache License"]]. Keep the notices, and say what was changed.'


class Moment(NamedTuple):
    """A state that passes, as it was on the bus: the document then, and what o'clock it was."""

    of: str
    is_so: Callable[[Document], bool]
    now_ms: Callable[[Document], int]


class Gallery:
    """Documents in every state, made once."""

    def __init__(self, client: httpx2.Client, simulator: httpx2.Client, model: DictatedModel) -> None:
        self._client = client
        self._simulator = simulator
        self._model = model
        self._made: dict[str, str] = {}

    def document(self, state: str) -> str:
        """The document of a state; made when it is first asked for."""
        if state not in self._made:
            self._made[state] = MAKERS[state](self)
        return self._made[state]

    def moment(self, name: str) -> tuple[bytes, Document, int]:
        """A document at the first moment of its log at which it was so: as JSON, folded, and the time."""
        moment = MOMENTS[name]
        id_ = self.document(moment.of)
        newest = in_the_log(self._client, id_)
        for at in range(min(source.given_at for source in newest.sources.values()), newest.sequence + 1):
            answer = self._client.get(f"/api/documents/{id_}", params={"at": at})
            if answer.is_success and moment.is_so(then := decode(answer.content)):
                return answer.content, then, moment.now_ms(then)
        msg = f"it never was {name}"
        raise AssertionError(msg)

    def patient(self, state: str) -> str:
        """From now on its cells may take their time, on however slow a machine."""
        id_ = self.document(state)
        self._client.patch(f"/api/documents/{id_}", json={"policy": {"cell_deadline_s": 3_600}}).raise_for_status()
        return id_

    def cookies(self) -> list[Any]:
        """The keys of all documents so far, for the browser of whoever made them."""
        return cookies_of(self._client)

    def dictated(self, state: str, number: int, **policy: Any) -> str:
        """So many sections of cells `<state>-1` and so on, the last of them waiting for the others."""
        ids = [f"{state}-{n}" for n in range(1, number + 1)]
        headings = ("What is granted", "What is asked", "What is not", "Patents", "Trademarks")
        outline: list[dict[str, Any]] = [
            {"id": id_, "heading": heading, "instructions": "Say it."}
            for id_, heading in zip(ids, headings, strict=False)
        ]
        outline.append({"id": f"{state}-sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ids})
        return self._create({"sections": outline}, model=MODEL, **policy)

    def planning(self) -> str:
        return self._create(None, model=MODEL)

    def writing(self) -> str:
        self._model.says("writing-1", *WORDS[:3])
        self._model.answers("writing-3", *WORDS)
        id_ = self.dictated("writing", 4)
        self._until(id_, lambda document: _is_written(document, "writing-3"))
        return id_

    def done(self) -> str:
        columns = [
            {"id": "who", "heading": "Who", "instructions": "Who is addressed?"},
            {"id": "must", "heading": "Must", "instructions": "What must they do?"},
        ]
        outline = [
            {"id": "granted", "heading": "What is granted", "instructions": "Copyright and patents."},
            {"id": "table", "heading": "Side by side", "instructions": "Compare.", "columns": columns},
            {"id": "sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["granted", "table"]},
        ]
        id_ = self._create({"sections": outline})
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def failed(self) -> str:
        self._model.says("failed-1", *WORDS[:2])
        self._model.answers("failed-2", *WORDS)
        id_ = self.dictated("failed", 3, cell_deadline_s=1)
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def troubled(self) -> str:
        """Every answer of its model is cut off, so that another model is asked in the end."""
        self._dials("patchy", cut_hard=1, strike_at=0.6)
        outline = [
            {"id": "grant", "heading": "What is granted", "instructions": "Copyright and patents."},
            {"id": "must", "heading": "What is asked", "instructions": "Notices and changes."},
            {"id": "sum", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["grant", "must"]},
        ]
        id_ = self._create({"sections": outline}, model="simulator/patchy")
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def watched(self) -> str:
        """A folder is followed, and its one file is a source."""
        self._model.answers("watched", *WORDS[:2])
        outline = {"sections": [{"id": "watched", "heading": "What is granted", "instructions": "Say it."}]}
        id_ = self._create(outline, model=MODEL)
        self._client.post(
            f"/api/documents/{id_}/watches", json={"folder": "notes", "glob": "0001-*.md"}
        ).raise_for_status()
        self._until(id_, lambda document: isinstance(document.run, Done) and len(document.sources) > 2)
        return id_

    def stopped(self) -> str:
        self._model.says("stopped-1", *WORDS[:3])
        self._model.answers("stopped-2", *WORDS)
        id_ = self.dictated("stopped", 3)
        self._until(id_, lambda document: _is_written(document, "stopped-2"))
        self._client.post(f"/api/documents/{id_}/stop").raise_for_status()
        self._until(
            id_, lambda document: isinstance(document.run, Paused) and bool(document.stop and document.stop.attempts)
        )
        return id_

    def without(self) -> str:
        """Complete, but for a section that was stopped by itself."""
        self._model.says("without-1", *WORDS[:2])
        self._model.answers("without-2", *WORDS)
        self._model.answers("without-sum", "In short: use it, keep the notices, and say what was changed.")
        id_ = self.dictated("without", 2)
        self._until(id_, lambda document: bool(text_of(document.cells, "without-1")))
        self._client.post(f"/api/documents/{id_}/cells/without-1/stop").raise_for_status()
        self._until(id_, lambda document: isinstance(document.run, Done) and not document.open_calls)
        return id_

    def thinking(self) -> str:
        """A model that has not said a word; a summary that waits; a table of which one row is there."""
        columns = [
            {"id": "may", "heading": "What others may do", "instructions": "What is allowed?"},
            {"id": "must", "heading": "What they must do", "instructions": "What is asked?"},
            {"id": "paid", "heading": "Costs", "instructions": "What does it cost?"},
        ]
        said = {"quote": "Apache License", "passage": 1}
        answer = "Use it, change it and pass it on, for money or not, alone or as a part of something larger, for ever."
        self._model.answers("sheet:s1:may", json.dumps({"answer": answer, **said}))
        self._model.answers("sheet:s1:must", json.dumps({"answer": "Keep the notices.", **said}))
        self._model.answers("sheet:s1:paid", json.dumps({"answer": "nothing", **said, "quote": ""}))
        self._model.answers("sheet:s2:may", json.dumps({"answer": "not stated", "quote": "", "passage": 1}))
        outline = [
            {"id": "terms", "heading": "The terms in short", "instructions": "Say it."},
            {"id": "sheet", "heading": "Side by side", "instructions": "Compare.", "columns": columns},
            {"id": "all", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["terms", "sheet"]},
        ]
        id_ = self._create({"sections": outline}, model=MODEL)
        self._until(id_, lambda document: all(_is_written(document, f"sheet:s1:{c['id']}") for c in columns))
        self._until(id_, lambda document: _is_written(document, "sheet:s2:may"))
        return id_

    def fell_back(self) -> str:
        """A model that is out of order, and another that wrote instead of it."""
        self._dials("dead", error_401=1)
        outline = [{"id": "grant", "heading": "What is granted", "instructions": "Copyright and patents."}]
        id_ = self._create({"sections": outline}, model="simulator/dead")
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def stale(self) -> str:
        """A source was replaced, and nobody has asked for an update yet."""
        id_ = self._written("stale", updates="manual")
        self._put(id_, "sources/s2", name="SECURITY.md", text="Report what you find to the maintainers.")
        self._until(id_, lambda document: any(cell.stale for cell in document.cells.values()))
        return id_

    def locked(self) -> str:
        """Text by hand, and a rewrite that is offered beside it."""
        id_ = self._written("locked")
        self._put(id_, "cells/locked-1", text=BY_HAND)
        self._client.post(f"/api/documents/{id_}/cells/locked-1/rewrite", json={}).raise_for_status()
        self._until(id_, lambda document: document.cells["locked-1"].offer is not None)
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def spent(self) -> str:
        """No money for the next call."""
        outline = [{"id": "grant", "heading": "What is granted", "instructions": "Copyright and patents."}]
        id_ = self._create({"sections": outline}, model="simulator/dear", budget=0.01)
        self._until(id_, lambda document: isinstance(document.run, Paused))
        return id_

    def given_up(self) -> str:
        """The time for the document was over before its text was."""
        self._model.says("given-up-1", *WORDS[:2])
        id_ = self.dictated("given-up", 1, deadline_s=2)
        self._until(id_, lambda document: not isinstance(document.run, Running))
        return id_

    def plan_ready(self) -> str:
        """A plan that waits for its reader."""
        id_ = self.dictated("plan-ready", 2, plan_first=True)
        self._until(id_, lambda document: isinstance(document.run, Paused))
        return id_

    def no_plan(self) -> str:
        """A planner whose answer is no outline, however often it is asked."""
        self._model.answers("outline", "I would rather not.")
        id_ = self._create(None, model=MODEL)
        self._until(id_, lambda document: not isinstance(document.run, Running))
        return id_

    def unreadable(self) -> str:
        """A source that is no PDF, whatever it is called; the others are read, and the text is written from those."""
        named = self._client.post("/api/uploads", params={"name": "broken.pdf"}, content=b"%PDF-1.7 and no more")
        self._model.answers("unreadable", *WORDS[:1])
        outline = {"sections": [{"id": "unreadable", "heading": "What is granted", "instructions": "Say it."}]}
        sources = [{"name": "LICENSE", "text": LICENSE}, {"upload": named.raise_for_status().json()["upload"]}]
        policy = {"grace_ms": FOR_EVER, "model": MODEL}
        id_ = create(
            self._client, brief=BRIEF, title="What this licence allows", sources=sources, outline=outline, policy=policy
        )
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def _written(self, state: str, **policy: Any) -> str:
        for n in (1, 2, 3):
            self._model.answers(f"{state}-{n}", *WORDS)
        self._model.answers(f"{state}-sum", "In short: use it, keep the notices, and say what was changed.")
        id_ = self.dictated(state, 3, **policy)
        self._until(id_, lambda document: isinstance(document.run, Done))
        return id_

    def _dials(self, model: str, **dials: float) -> None:
        self._simulator.patch("/dials", json={"model": model, "dials": dials}).raise_for_status()

    def _put(self, document: str, path: str, **body: str) -> None:
        self._client.put(f"/api/documents/{document}/{path}", json=body).raise_for_status()

    def _create(self, outline: dict[str, Any] | None, **policy: Any) -> str:
        sources = [
            {"name": "LICENSE", "text": LICENSE},
            {"name": "SECURITY.md", "text": (ROOT / "SECURITY.md").read_text(encoding="utf-8")},
        ]
        return create(
            self._client,
            brief=BRIEF,
            title="" if outline is None else "What this licence allows",
            sources=sources,
            policy={"grace_ms": FOR_EVER, **policy},
            **({} if outline is None else {"outline": outline}),
        )

    def _until(self, document: str, holds: Callable[[Document], bool]) -> None:
        until(lambda: holds(in_the_log(self._client, document)))


def _is_written(document: Document, cell: str) -> bool:
    found = document.cells.get(cell)
    return found is not None and found.completed is not None


MAKERS: Final[dict[str, Callable[[Gallery], str]]] = {
    "planning": Gallery.planning,
    "writing": Gallery.writing,
    "done": Gallery.done,
    "failed": Gallery.failed,
    "troubled": Gallery.troubled,
    "stopped": Gallery.stopped,
    "without": Gallery.without,
    "thinking": Gallery.thinking,
    "fell-back": Gallery.fell_back,
    "stale": Gallery.stale,
    "locked": Gallery.locked,
    "spent": Gallery.spent,
    "given-up": Gallery.given_up,
    "plan-ready": Gallery.plan_ready,
    "no-plan": Gallery.no_plan,
    "unreadable": Gallery.unreadable,
    "watched": Gallery.watched,
}


def _is_queued(then: Document) -> bool:
    return any(isinstance(cell.state, Queued) for cell in then.cells.values())


def _dues_ms(then: Document) -> list[int]:
    return [cell.state.retry_at_ms for cell in then.cells.values() if isinstance(cell.state, Retrying)]


def _begun_ms(then: Document) -> int:
    return then.created_at_ms + 300


def _soon_ms(then: Document) -> int:
    return min(_dues_ms(then)) - 700


def _is_retrying(then: Document) -> bool:
    return len(_dues_ms(then)) > 0


MOMENTS: Final[dict[str, Moment]] = {
    "queued": Moment("done", _is_queued, _begun_ms),
    "retrying": Moment("troubled", _is_retrying, _soon_ms),
}
"""What passes too soon to be looked at."""
