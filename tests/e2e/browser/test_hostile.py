"""Whatever a model, a source or a stranger's hand writes is words: nothing runs, nothing loads, nothing leads away."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any, Final

import httpx2
from playwright.sync_api import Dialog, Page, expect

from schemas.document import Done
from tests.dictated import DictatedModel
from tests.e2e.browser.reading import LICENSE, PATIENT, create, in_the_log, until, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.hostile import CASES, NAMES
from tests.wording import words

SEED: Final = 20
SECTIONS: Final = 20
CHUNK_CHARACTERS_MAX: Final = 60
ROUNDS: Final = 6
COLUMNS: Final = 3
SOURCES: Final = 4

WRONG: Final = """() => {
  const tags = 'script, iframe, frame, frameset, object, embed, portal, form, style, link, meta, base, title:not(svg title), template, math, video, audio,'
    + ' source, track, picture, marquee, noscript, plaintext, xmp, listing, isindex, font, area, map, image, use, animate';
  const wrong = [...document.body.querySelectorAll(tags)].map((element) => `an element: ${element.outerHTML.slice(0, 200)}`);
  for (const element of document.querySelectorAll('*')) {
    for (const { name, value } of element.attributes) {
      const isOurs = name !== 'style' || /^(--[a-z]+: [\\w.()-]+|height: [\\d.]+px|left: [\\d.]+px|top: [\\d.]+px|[; ])*$/.test(value);
      if (name.startsWith('on') || ['srcdoc', 'formaction', 'ping', 'background', 'action', 'autofocus'].includes(name) || !isOurs)
        wrong.push(`an attribute: ${name}=${value}`);
    }
  }
  for (const { src } of document.images) if (new URL(src).origin !== location.origin) wrong.push(`an image: ${src}`);
  for (const link of document.links) {
    if (!['http:', 'https:', 'mailto:'].includes(link.protocol)) wrong.push(`a link: ${link.href}`);
    if (link.origin !== location.origin && !/noopener/.test(link.rel)) wrong.push(`a link that hands this window over: ${link.href}`);
  }
  if ('hostile' in globalThis) wrong.push('something ran');
  if (document.cookie !== '' || document.body !== document.querySelector('body')) wrong.push('something hides what belongs to the page');
  return wrong;
}"""
"""What of a page cannot have come from the page itself."""


class Watched:
    """A page that nothing may come of: no window of its own, no other address, no question to the reader."""

    def __init__(self, page: Page, path: str) -> None:
        self.page = page
        self._path = path
        self._came: list[str] = []
        page.on("dialog", self._asked)
        page.on("popup", lambda popup: self._came.append(f"a window: {popup.url}"))

    def _asked(self, dialog: Dialog) -> None:
        self._came.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def check(self) -> None:
        """AssertionError where something came of it all the same."""
        wrong: list[str] = self._came + self.page.evaluate(WRONG)
        assert not wrong, "\n".join(wrong[:20])
        assert self.page.url.endswith(self._path)


def sections() -> list[str]:
    """All cases, so many to a section, each behind its number."""
    numbered = [f"Case {number}.\n\n{case}" for number, case in enumerate(CASES)]
    return ["\n\n".join(numbered[at::SECTIONS]) for at in range(SECTIONS)]


def cut(text: str, chance: random.Random) -> list[str]:
    """In pieces of any length, as no tokenizer would dare to cut."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        length = chance.randint(1, CHUNK_CHARACTERS_MAX)
        pieces.append(text[at : at + length])
        at += length
    return pieces


def told(model: DictatedModel, page: Page, texts: Sequence[str], chance: random.Random) -> None:
    """All of them at once, in rounds; after each of which the page has drawn what was said."""
    pieces = [cut(text, chance) for text in texts]
    for number in range(ROUNDS):
        said = ""
        for section, all_ in enumerate(pieces):
            part = all_[len(all_) * number // ROUNDS : len(all_) * (number + 1) // ROUNDS]
            model.says(f"part-{section}", *part)
            said = "".join(all_[: len(all_) * (number + 1) // ROUNDS])
        last = re.findall(r"Case \d+\.", said)[-2]  # The one before the last is whole.
        expect(page.get_by_role("main").get_by_text(last, exact=True)).to_be_attached()


def hostile(client: httpx2.Client, model: DictatedModel, chance: random.Random) -> str:
    """A document all of whose words are hostile: brief, titles, headings, questions, sources and their names, answers."""
    names = iter(chance.sample(NAMES, len(NAMES)))
    columns = [{"id": f"c{n}", "heading": next(names), "instructions": next(names)} for n in range(COLUMNS)]
    outline: list[dict[str, Any]] = [
        {"id": f"part-{n}", "heading": f"{n} {next(names)}", "instructions": next(names)} for n in range(SECTIONS)
    ]
    outline.append({"id": "table", "heading": next(names), "instructions": "Compare.", "columns": columns})
    for row in range(1, SOURCES + 1):
        for column in columns:
            answer = {"answer": chance.choice(CASES[:200]), "quote": next(names), "passage": 1}
            model.answers(f"table:s{row}:{column['id']}", json.dumps(answer))
    return create(
        client,
        brief="\n\n".join(NAMES),
        title=next(names),
        sources=[{"name": name, "text": f"{name}\n\n{LICENSE[:2000]}"} for name in chance.sample(NAMES, SOURCES)],
        outline={"sections": outline},
        policy=PATIENT,
    )


def test_nothing_that_is_written_ever_becomes_more_than_words(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    chance = random.Random(SEED)  # noqa: S311 -- a seed, so that a failure can be played again
    id_ = hostile(client, model, chance)
    visitor.context.add_cookies(
        [
            {"name": one.name, "value": one.value or "", "domain": one.domain, "path": one.path}
            for one in client.cookies.jar
        ]
    )
    page = visitor.open(f"/d/{id_}")
    document = Watched(page, id_)
    texts = sections()
    told(model, page, texts, chance)
    document.check()
    model.ends(*(f"part-{number}" for number in range(SECTIONS)))
    until_complete(page)
    written = in_the_log(client, id_)
    assert isinstance(written.run, Done)
    for number, text in enumerate(texts):
        completed = written.cells[f"part-{number}"].completed
        assert completed is not None
        assert completed.text == text
    document.check()
    _look_everywhere(document, id_, client)

    # Anew, from the log: whole texts, not pieces; and in the other places that show them.
    page.reload()
    until_complete(page)
    document.check()
    for path in (f"/embed/{id_}", f"/control/{id_}", "/library"):
        page.goto(visitor.home + path)
        expect(page.get_by_role("main")).to_contain_text("<")
        Watched(page, path).check()


def _look_everywhere(document: Watched, id_: str, client: httpx2.Client) -> None:
    """Sources, prompt, history, palette, outline, and a text by hand beside which a rewrite is offered."""
    page = document.page
    client.put(f"/api/documents/{id_}/cells/part-0", json={"text": "\n\n".join(NAMES)}).raise_for_status()
    client.post(f"/api/documents/{id_}/cells/part-0/rewrite", json={}).raise_for_status()
    until(lambda: in_the_log(client, id_).cells["part-0"].offer is not None)
    expect(page.get_by_role("group", name=words("edit.offer"))).to_be_visible()
    page.get_by_role("main").get_by_role("button", name=re.compile("^Citation|^Source", re.IGNORECASE)).first.click()
    expect(page.locator("mark, article").first).to_be_visible()
    document.check()
    for panel in ("prompt", "history"):
        page.get_by_role("tab", name=words(f"panels.{panel}")).click()
        expect(page.get_by_role("tabpanel")).to_contain_text("<")
        document.check()
    for key in ("Control+k", "?"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog").first).to_be_visible()
        document.check()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)  # Until then the next key is its own.
