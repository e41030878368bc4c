"""A document's whole life from the terminal: real commands, as a user types them, beside one running system.

What became of it is read over HTTP, past the commands. Bad input is tried in this process: the same commands, thirty times faster.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.cli.keyring import Keyring
from tests.system import System
from tests.terminal import SECONDS, Terminal

OUTLINE = """# On copying

## Background {#background}
Say what scribes did.

## Studies {#studies}
Columns:
- Method

## Summary {#summary}
Depends on: background, studies
"""
TEXT = "# Copying\n\nScribes copied books by hand. Each scribe copied one part. It took {} days.\n"


@pytest.fixture(scope="module")
def terminal(system: System, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Ada's."""
    folder = tmp_path_factory.mktemp("ada")
    (folder / "outline.md").write_text(OUTLINE, encoding="utf-8")
    for number in (1, 2, 3):
        (folder / f"study-{number}.md").write_text(TEXT.format(number * 100), encoding="utf-8")
    # A model of our own: the others' pace is other tests' business.
    _pace(system, 0)
    return Terminal(folder, system.gateway)


@pytest.fixture(scope="module")
def document(terminal: Terminal) -> str:
    """The id of a document that was written from there."""
    wrote = terminal.typed(
        "write", "How were books copied?", "-s", "study-1.md", "-s", "study-2.md", "--outline", "outline.md",
        "--policy", "model=simulator/terminal", "--gateway", terminal.gateway,
    )  # fmt: skip
    assert wrote["url"] == f"{terminal.gateway}/d/{wrote['id']}"
    assert wrote["document"]["run"]["type"] == "Done"
    return wrote["id"]


def _texts(shown: dict[str, Any]) -> dict[str, str]:
    return {id_: cell["completed"]["text"] for id_, cell in shown["cells"].items() if cell.get("completed")}


def test_a_document_is_known_by_its_id_a_beginning_its_address_and_last(terminal: Terminal, document: str) -> None:
    shown = terminal.typed("show", document)
    assert shown["title"] == "On copying"
    assert set(_texts(shown)) == {"background", "studies:s1:method", "studies:s2:method", "summary"}
    assert terminal.json("show", f"{terminal.gateway}/d/{document}")["sequence"] == shown["sequence"]
    told, _ = terminal.run("show", document[:6])
    assert terminal.run("show", "last")[0] == told
    assert all(words in told for words in ("background", "study-1.md", "Done", "table: method"))
    assert [card["id"] for card in terminal.json("list", "COPYING", "--gateway", terminal.gateway)["documents"]] == [
        document
    ]


def test_keys_are_kept_where_only_their_owner_reads_them(terminal: Terminal, document: str) -> None:
    kept = Keyring(terminal.home).get(document)
    assert kept is not None
    for file in (file for file in terminal.home.rglob("*") if file.is_file()):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    for words in (("show", "last"), ("show", "last", "--json"), ("list", "--json", "--gateway", terminal.gateway)):
        assert kept.key not in "".join(terminal.run(*words))


def test_what_an_edit_would_come_to_is_shown_and_nothing_is_changed(terminal: Terminal, document: str) -> None:
    before = terminal.now(document)
    shown = terminal.typed("edit", document, "--instructions", "background=Say who paid them.", "--preview")
    found = {cell["cell"]: cell["certain"] for cell in shown["previews"][0]["preview"]["cells"]}
    assert found == {"background": True, "summary": False}
    told, _ = terminal.run("edit", document, "--brief", "How were books copied, and by whom?", "--preview")
    assert "4 cells, 4 calls" in told
    assert "written anew" in told
    assert "the brief changes" in told
    assert terminal.now(document) == before


def test_an_edit_is_waited_for_looked_back_at_and_restored(terminal: Terminal, document: str) -> None:
    before = terminal.now(document)
    edited = terminal.typed(
        "edit", document, "--instructions", "background=Say who paid them.", "--title", "Copied", "--who", "Zoë"
    )
    assert [step["what"] for step in edited["edits"]] == ["title", "section background"]
    assert edited["run"] == "Done"
    after = terminal.now(document)
    assert after["title"] == "Copied"
    changes = terminal.typed("history", document)["changes"]
    assert [(one["type"], one["who"]) for one in changes[:2]] == [("SectionEdited", "Zoë"), ("DocumentEdited", "Zoë")]
    assert _texts(terminal.now(document, at=before["sequence"])) == _texts(before)

    compared, _ = terminal.run("history", document, "--compare", str(before["sequence"]), str(after["sequence"]))
    assert "sections changed: background" in compared
    calls = after["ledger"]["calls"]
    assert terminal.typed("history", document, "--restore", str(before["sequence"]))["run"] == "Done"
    restored = terminal.now(document)
    assert (restored["title"], restored["outline"]) == (before["title"], before["outline"])
    assert _texts(restored) == _texts(before)
    assert restored["ledger"]["calls"] == calls


def test_a_second_edit_that_is_bad_leaves_nothing_of_the_first(terminal: Terminal, document: str) -> None:
    before = terminal.now(document)
    _, said = terminal.run("edit", document, "--title", "Half", "--instructions", "nowhere=Say.", code=2)
    assert "There is no section 'nowhere'." in said
    assert terminal.now(document) == before


def test_a_conflict_shows_what_the_other_did(terminal: Terminal, document: str) -> None:
    version = terminal.now(document)["sequence"]
    made = terminal.json("edit", document, "--title", "By Ada", "--who", "Ada", "--if-match", str(version))
    told, said = terminal.run("edit", document, "--title", "By Bob", "--if-match", str(version), code=1)
    assert told == ""
    assert all(words in said for words in ("DocumentEdited", "Ada", "By Ada", "Nothing was changed"))
    again = re.search(r"--if-match (\d+)", said)
    assert again is not None
    assert int(again[1]) == made["edits"][0]["sequence"]
    terminal.run("edit", document, "--title", "By both", "--if-match", again[1])
    assert terminal.now(document)["title"] == "By both"


def test_an_outline_is_printed_changed_and_given_back(terminal: Terminal, document: str) -> None:
    before = terminal.now(document)
    told, _ = terminal.run("show", document, "--outline")
    (terminal.folder / "changed.md").write_text(told.replace("## Summary", "## In short"), encoding="utf-8")
    (terminal.folder / "before.json").write_text(terminal.run("show", document, "--outline", "--json")[0], "utf-8")
    terminal.run("edit", document, "--outline", "changed.md")
    assert [section["heading"] for section in terminal.now(document)["outline"]] == [
        "Background",
        "Studies",
        "In short",
    ]
    assert terminal.json("edit", document, "--outline", "before.json")["edits"][0]["changed"] is True
    assert terminal.now(document)["outline"] == before["outline"]


def test_text_by_hand_is_locked_and_a_rewrite_is_offered_beside_it(terminal: Terminal, document: str) -> None:
    (terminal.folder / "mine.md").write_text("Nobody paid them.", encoding="utf-8")
    terminal.run("edit", document, "--text", "background=@mine.md")
    assert terminal.now(document)["cells"]["background"]["locked"] is True
    assert terminal.json("rewrite", document, "background")["run"] == "Done"
    offered = terminal.now(document)["cells"]["background"]
    assert offered["completed"]["text"] == "Nobody paid them."
    assert offered["offer"]["text"] != "Nobody paid them."
    terminal.run("decline", document, "background")
    terminal.run("unlock", document, "background")
    cell = terminal.now(document)["cells"]["background"]
    assert (cell["locked"], cell.get("offer")) == (False, None)
    assert cell["completed"]["text"] != "Nobody paid them."


def test_a_table_gets_a_column_and_a_row_and_loses_them(terminal: Terminal, document: str) -> None:
    added = terminal.typed(
        "table", document, "studies", "--add-column", "How many days?", "--format", "number", "--sample", "s1"
    )
    assert added["edits"][0]["estimate"]["cells"] >= 1
    shown = terminal.json("table", document, "studies")
    assert [column["id"] for column in shown["columns"]] == ["method", "how-many-days"]
    assert [sorted(row["answers"]) for row in shown["rows"]] == [["how-many-days", "method"], ["method"]]
    told, _ = terminal.run("table", document, "studies")
    assert "not asked" in told
    assert shown["sums"]["how-many-days"]["type"] == "NumberSums"
    assert "1 of 1 answered" in told or "1 not stated" in told

    grown = terminal.typed("add-source", document, "study-3.md")
    assert grown["edits"][0]["source"] == "s3"
    rows = terminal.run("table", document, "studies", "--csv")[0].removeprefix("\ufeff").splitlines()
    assert [row.split(",")[0] for row in rows] == ["Source", "study-1.md", "study-2.md", "study-3.md"]
    (terminal.folder / "study-3.md").write_text(TEXT.format("three thousand"), encoding="utf-8")
    assert terminal.json("replace-source", document, "s3", "study-3.md")["edits"][0]["changed"] is True
    terminal.run("remove-source", document, "s3")
    terminal.run("table", document, "studies", "--remove-column", "How many days?")
    assert [row["source"] for row in terminal.json("table", document, "studies")["rows"]] == ["s1", "s2"]


def test_what_goes_stale_by_hand_waits_for_an_update(terminal: Terminal, document: str) -> None:
    terminal.run("edit", document, "--policy", "updates=manual", "--instructions", "background=Say when.")
    assert terminal.now(document)["cells"]["background"]["stale"]
    assert "stale" in terminal.run("show", document)[0]
    assert terminal.json("update", document)["run"] == "Done"
    assert not terminal.now(document)["cells"]["background"]["stale"]


def test_it_is_taken_away_in_every_form_and_never_over_what_is_there(terminal: Terminal, document: str) -> None:
    made: dict[str, bytes] = {}
    for ending in ("md", "html", "docx", "csv", "json"):
        terminal.run("export", document, "-o", f"taken.{ending}")
        made[ending] = (terminal.folder / f"taken.{ending}").read_bytes()
    assert terminal.run("export", document, "--format", "md")[0].encode() == made["md"]
    assert made["md"].startswith(b"# By both")
    assert b"<!doctype html>" in made["html"][:100].lower()
    assert "word/document.xml" in zipfile.ZipFile(BytesIO(made["docx"])).namelist()
    assert json.loads(made["json"])["id"] == document
    (terminal.folder / "taken.md").write_text("Mine.", encoding="utf-8")
    _, said = terminal.run("export", document, "-o", "taken.md", code=2)
    assert "--force" in said
    assert (terminal.folder / "taken.md").read_text(encoding="utf-8") == "Mine."
    terminal.run("export", document, "-o", "taken.md", "--force")
    assert (terminal.folder / "taken.md").read_bytes() == made["md"]
    assert not list(terminal.folder.glob(".taken*"))


def test_another_terminal_reads_by_id_and_changes_only_with_the_key(
    terminal: Terminal, document: str, tmp_path: Path
) -> None:
    bob = Terminal(tmp_path, terminal.gateway)
    at = ("--gateway", terminal.gateway)
    assert bob.json("show", document, *at)["id"] == document
    _, said = bob.run("edit", document, "--title", "Bob's", *at, code=1)
    assert "--key-file" in said
    kept = Keyring(terminal.home).get(document)
    assert kept is not None
    (tmp_path / "key").write_text(f"{kept.key}\n", encoding="utf-8")
    bob.run("edit", document, "--title", "Bob's", "--key-file", "key", *at)
    bob.run("edit", document, "--title", "By both", *at, SCRIPTORIUM_KEY=kept.key)
    (tmp_path / "key").write_text("another", encoding="utf-8")
    bob.run("lock", document, "summary", "--key-file", "key", *at, code=1)
    _, said = bob.run("show", "last", *at, code=2)
    assert "scriptorium write" in said


def test_a_link_for_editing_is_given_taken_and_taken_back(terminal: Terminal, document: str, tmp_path: Path) -> None:
    link = terminal.json("share", document)["link"]
    kept = Keyring(terminal.home).get(document)
    assert kept is not None
    assert link.startswith(f"{terminal.gateway}/d/{document}#key=")
    assert kept.key not in link
    bob = Terminal(tmp_path, terminal.gateway)
    _, said = bob.run("lock", link, "summary", code=2)
    assert "scriptorium remember" in said
    (tmp_path / "link").write_text(link, encoding="utf-8")
    assert bob.json("remember", "link")["id"] == document
    bob.run("lock", "last", "summary")
    bob.run("unlock", "last", "summary")
    assert [card["id"] for card in bob.json("list", "--gateway", terminal.gateway)["documents"]] == [document]
    terminal.run("share", document, "--take-back")
    bob.run("lock", "last", "summary", code=1)
    (tmp_path / "link").write_text(link.partition("#")[0], encoding="utf-8")
    bob.run("remember", "link", code=2)


def test_a_plan_is_looked_at_before_it_is_written(terminal: Terminal, document: str) -> None:
    policy = ("--policy", "plan_first=true", "--policy", "model=simulator/terminal")
    outline, said = terminal.run("write", "How were books copied?", *policy, "--gateway", terminal.gateway)
    assert "scriptorium resume" in said
    (terminal.folder / "plan.md").write_text(
        "# Planned\n\n" + outline[outline.index("## ") :].split("\n\n")[0], "utf-8"
    )
    terminal.run("edit", "last", "--outline", "plan.md")
    planned = terminal.json("resume", "last")
    assert planned["run"]["type"] == "Done"
    assert len(planned["outline"]) == 1
    terminal.run("delete", "last", "--yes")
    assert terminal.json("show", "last")["id"] == document


def test_a_copy_is_made_stopped_resumed_and_deleted(terminal: Terminal, document: str) -> None:
    copied = terminal.json("duplicate", document, "--title", "Copy", "--no-wait")
    stopped = terminal.json("stop", "last")
    assert stopped["id"] == copied["id"]
    if stopped["run"] == "Paused":  # Else it had been quicker than our word.
        assert terminal.json("resume", "last")["run"]["type"] == "Done"
    assert terminal.json("watch", copied["id"])["run"]["type"] == "Done"
    _, said = terminal.run("delete", copied["id"], code=2)
    assert "--yes" in said
    assert terminal.json("delete", copied["id"], "--yes") == {"id": copied["id"], "deleted": True}
    terminal.run("show", copied["id"], "--gateway", terminal.gateway, code=2)
    assert terminal.json("show", "last")["id"] == document


def _pace(system: System, token_interval_ms: int) -> None:
    dials = {"pace": "fixed", "first_token_ms": 1, "token_interval_ms": token_interval_ms}
    turned = {"model": "terminal", "dials": dials}
    httpx2.put(f"{system.simulator}/dials", json=turned, trust_env=False).raise_for_status()


def test_a_section_is_stopped_by_itself_missed_and_written_after_all(
    terminal: Terminal, system: System, document: str
) -> None:
    at = ("--gateway", terminal.gateway)
    _pace(system, 1_000)
    try:
        id_ = terminal.json("duplicate", document, "--title", "Cut", "--no-wait")["id"]
        _until(lambda: terminal.now(id_)["cells"].get("background", {}).get("state", {}).get("type") == "Writing")
        stopped = terminal.json("stop", id_, "--cell", "background")
    finally:
        _pace(system, 0)
    assert (stopped["id"], stopped["cell"], stopped["run"]) == (id_, "background", "Running")
    assert stopped["state"]["type"] == "Cancelled"
    assert stopped["state"]["closed_at_ms"] >= stopped["state"]["asked_at_ms"]
    terminal.run("watch", id_, code=1)
    told, _ = terminal.run("show", id_)
    assert re.search(r"background +Background +■ +stopped", told)
    assert "1 stopped" in terminal.run("list", "Cut", *at)[0]
    assert "there was nothing to stop" in terminal.run("stop", id_, "--cell", "summary")[0]
    terminal.run("stop", id_, "--cell", "nowhere", code=2)
    terminal.json("rewrite", id_, "background")
    assert "background" in _texts(terminal.now(id_))
    terminal.json("delete", id_, "--yes")
    assert terminal.json("show", "last")["id"] == document


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"


def test_templates_are_listed_kept_estimated_and_dropped(terminal: Terminal, document: str) -> None:
    at = ("--gateway", terminal.gateway)
    offered = {one["id"]: one for one in terminal.json("templates", *at)["templates"]}
    terminal.run("templates", "--save", "Mine", "--from", document, *at)
    own = [one for one in terminal.json("templates", *at)["templates"] if one["id"] not in offered]
    assert [(one["name"], one["is_own"]) for one in own] == [("Mine", True)]
    found = terminal.json("estimate", "B", "-s", "study-1.md", "--template", own[0]["id"], *at)
    assert found["cells"] == ["background", "studies:s1:method", "summary"]
    assert found["estimate"]["calls"] == 3
    assert terminal.json("write", "B", "--estimate", "--outline", "outline.md", *at)["estimate"]["calls"] == 2
    terminal.run("templates", "--forget", own[0]["id"], *at)
    assert {one["id"] for one in terminal.json("templates", *at)["templates"]} == set(offered)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "zz"), "names no document"),
        (("show", "ffffffff"), "begins with 'ffffffff'"),
        (("show", "0" * 32), "There is no such document."),
        (("edit", "last"), "nothing to change"),
        (("edit", "last", "--policy", "grace_ms=-1"), "grace_ms"),
        (("edit", "last", "--policy", "model"), "NAME=VALUE"),
        (("edit", "last", "--policy", "model=nobody/x"), "/policy/model"),
        (("edit", "last", "--text", "background=@nowhere.md"), "@nowhere.md"),
        (("edit", "last", "--outline", "nowhere.md"), "nowhere.md"),
        (("rewrite", "last", "nowhere"), "There is no cell 'nowhere'."),
        (("rewrite", "last", ".."), "is no id"),
        (("table", "last", "background"), "no table; tables here: studies"),
        (("table", "last", "studies", "--add-column", "X", "--format", "colour"), "--format colour"),
        (("table", "last", "studies", "--add-column", "X", "--format", "one_of"), "--option"),
        (("table", "last", "studies", "--add-column", "X", "--sample", "s9"), "/sample/0"),
        (("table", "last", "studies", "--option", "X"), "--add-column"),
        (("add-source", "last", "nowhere.md"), "nowhere.md"),
        (("add-source", "last", "http://127.0.0.1:1/x"), "/url"),
        (("history", "last", "--restore", "999999999"), "/to"),
        (("history", "last", "--compare", "999999998", "999999999"), "Its log ends"),
        (("export", "last", "--format", "rtf"), "--format rtf"),
        (("export", "last", "-o", "nowhere/x.md"), "nowhere"),
        (("export", "last", "--format", "csv", "--section", "nowhere"), "/section"),
        (("write", " ", "--outline", "outline.md"), "brief"),
        (("write", "B", "--template", "nothing"), "/template"),
        (("write", "B", "--template", "x", "--outline", "outline.md"), "template"),
        (("write", "B", "-s", "nowhere.md"), "nowhere.md"),
        (("list", "--gateway", "localhost:1"), "--gateway localhost:1"),
        (("templates", "--save", "Mine"), "--from"),
        (("watches", "last", "--folder", "nowhere"), "/folder"),
        (("watches", "last", "--url", "http://127.0.0.1:1/"), "/url"),
        (("watches", "last", "--folder", "x", "--url", "http://example.org/"), "exactly one of"),
        (("watches", "last", "--end", "ffff"), "no watch begins"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    terminal: Terminal, document: str, words: tuple[str, ...], said: str
) -> None:
    before = terminal.now(document)
    files = sorted(terminal.home.rglob("*"))
    at = () if "--gateway" in words else ("--gateway", terminal.gateway)
    told, why = terminal.run(*words, *at, code=2)
    assert told == ""
    assert said in " ".join(re.sub(r"[│╭╮╰╯─]", " ", why).split())
    assert sorted(terminal.home.rglob("*")) == files
    assert terminal.now(document) == before


def _on_a_screen(terminal: Terminal, *words: str, **variables: str) -> tuple[int, str]:
    """Exit code, and all that a real terminal is sent."""
    screen, keyboard = pty.openpty()
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "services.cli", *words],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        cwd=terminal.folder,
        env={
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "SCRIPTORIUM_HOME": str(terminal.home),
            "PYTHONPATH": str(Path.cwd()),
            "TERM": "xterm-256color",
            **variables,
        },
    ) as process:
        os.close(keyboard)
        shown = b""
        with contextlib.suppress(OSError):  # How Linux says that nobody has the other end any more.
            while data := os.read(screen, 65_536):
                shown += data
        os.close(screen)
        return process.wait(SECONDS), shown.decode()


def test_a_screen_is_drawn_over_unless_nobody_wants_that_and_gets_no_word_file(
    terminal: Terminal, document: str
) -> None:
    code, shown = _on_a_screen(terminal, "watch", document)
    assert (code, "\x1b[?25l" in shown, "Background" in shown) == (
        0,
        True,
        True,
    )  # The cursor is hidden while it is drawn.
    code, shown = _on_a_screen(terminal, "watch", document, NO_COLOR="1")
    assert (code, "\x1b" in shown, "calls" in shown) == (0, False, True)
    code, shown = _on_a_screen(terminal, "export", document, "--format", "docx")
    assert (code, "nothing for a terminal" in shown, "PK" in shown) == (2, True, False)


def test_whoever_only_reads_leaves_no_trace(terminal: Terminal, document: str, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder", encoding="utf-8")
    bob = Terminal(tmp_path, terminal.gateway)
    at = ("--gateway", terminal.gateway)
    assert bob.json("show", document, *at)["id"] == document
    _, said = bob.run("write", "B", "--outline", str(terminal.folder / "outline.md"), *at, code=2)
    assert "SCRIPTORIUM_HOME" in said


def test_a_gateway_that_is_not_there_says_what_to_do(terminal: Terminal) -> None:
    told, said = terminal.run("list", "--gateway", "http://127.0.0.1:1", code=1)
    assert told == ""
    assert "scriptorium up" in said


def test_the_document_ends_as_it_began_from_the_terminal(terminal: Terminal, document: str) -> None:
    assert terminal.typed("delete", document, "--yes") == {"id": document, "deleted": True}
    _, said = terminal.run("show", "last", code=2)
    assert "scriptorium write" in said
    assert Keyring(terminal.home).get(document) is None
