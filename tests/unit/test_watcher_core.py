"""What a watcher makes of what it sees: a folder that changes at will, a document that follows, and addresses with their tempers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.watches import FILES_MAX, WatchState
from services.watcher import core
from services.watcher.core import Add, Folder, Has, Refused, Remove, Replace, Stat, Unchanged, Version
from services.watcher.globs import matches

NAMES = ("a.md", "b.md", "sub/c.md")
TEXTS = st.sampled_from([b"", b"one", b"two", b"three"])


class Disk:
    """A folder: what is in it, and what a look at it shows. Every writing is a new moment."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._stats: dict[str, Stat] = {}
        self._moment = 0

    def write(self, name: str, data: bytes) -> None:
        self._moment += 1
        self.files[name] = data
        self._stats[name] = Stat(len(data), self._moment, hash(name))

    def remove(self, name: str) -> None:
        self.files.pop(name, None)
        self._stats.pop(name, None)

    def listing(self) -> dict[str, Stat]:
        return dict(self._stats)


class Follower:
    """The shell without its files and its bus: it reads what the core wants read, and does what is due."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.folder = Folder()
        self.document: dict[str, Has] = {}
        self.done: list[core.Action] = []
        self.read: list[tuple[str, Stat]] = []
        self._numbers = iter(range(1, 1_000_000))
        self.before: dict[str, Stat] = {}

    def look(self) -> None:
        now = self.disk.listing()
        self.folder = core.listed(self.folder, now)
        for path, stat in core.unread(self.folder):
            # The promise itself: nothing is read that the look before had found otherwise.
            assert self.before.get(path) == stat
            self.read.append((path, stat))
            self.folder = core.was_read(self.folder, path, stat, digest(self.disk.files[path]))
        self.before = now
        while actions := core.due(self.folder, self.document, room=500):
            self._do(actions[0])

    def _do(self, action: core.Action) -> None:
        self.done.append(action)
        match action:
            case Add(path=path, digest=given):
                assert path not in self.document
                self.document[path] = Has(source=f"s{next(self._numbers)}", digest=given)
            case Replace(source=source, path=path, digest=given):
                assert self.document[path].source == source
                assert self.document[path].digest != given
                self.document[path] = Has(source=source, digest=given)
            case Remove(source=source, path=path):
                assert self.document.pop(path).source == source


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), TEXTS),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(b"")),
        st.tuples(st.just("look"), st.just(""), st.just(b"")),
        st.tuples(st.just("restart"), st.just(""), st.just(b"")),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_to_a_folder_its_document_ends_with_what_it_has(steps: list[tuple[str, str, bytes]]) -> None:
    disk = Disk()
    follower = Follower(disk)
    for step, name, data in steps:
        match step:
            case "write":
                disk.write(name, data)
            case "remove":
                disk.remove(name)
            case "restart":  # Killed: all that it knew is gone, and the document is not.
                follower.folder, follower.before = Folder(), {}
            case _:
                follower.look()
    for _ in range(core.STILL_LOOKS + 1):
        follower.look()
    assert {path: has.digest for path, has in follower.document.items()} == {
        path: digest(data) for path, data in disk.files.items()
    }
    before = len(follower.done)
    follower.look()
    assert len(follower.done) == before, "an action is repeated"


@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), min_size=1, max_size=12))
def test_what_changes_between_any_two_looks_is_never_read(writings: list[tuple[str, bytes]]) -> None:
    disk = Disk()
    follower = Follower(disk)
    for _ in writings:
        for name in NAMES:
            disk.write(name, b"still being written")
        follower.look()
    assert follower.read == []
    assert follower.document == {}


@given(STEPS)
def test_a_second_watcher_finds_nothing_left_to_do(steps: list[tuple[str, str, bytes]]) -> None:
    disk = Disk()
    one, other = Follower(disk), Follower(disk)
    other.document = one.document  # The document is one and the same.
    for step, name, data in steps:
        match step:
            case "write":
                disk.write(name, data)
            case "remove":
                disk.remove(name)
            case _:
                one.look()
                done = len(one.done)
                other.look()
                assert len(one.done) == done
                assert other.done == []


def test_a_file_that_an_editor_replaces_by_a_new_one_is_not_removed_in_between() -> None:
    disk = Disk()
    follower = Follower(disk)
    disk.write("a.md", b"one")
    follower.look()
    follower.look()
    disk.remove("a.md")
    follower.look()
    disk.write("a.md", b"two")
    follower.look()
    follower.look()
    assert [type(action) for action in follower.done] == [Add, Replace]


def test_a_file_that_turns_out_to_be_another_one_is_looked_at_again() -> None:
    stat = Stat(3, 1, 1)
    folder = core.listed(core.listed(Folder(), {"a.md": stat}), {"a.md": stat})
    assert core.unread(folder) == (("a.md", stat),)
    assert core.unread(core.changed_underhand(folder, "a.md")) == ()


def test_there_is_an_end_to_what_a_folder_may_bring() -> None:
    listing = {f"{n:04}.md": Stat(1, n, n) for n in range(FILES_MAX + 7)}
    folder = core.listed(core.listed(Folder(), listing), listing)
    for path, stat in core.unread(folder):
        folder = core.was_read(folder, path, stat, digest(path.encode()))
    assert len(core.due(folder, {}, room=500)) == FILES_MAX
    assert len(core.due(folder, {}, room=2)) == 2
    assert "7 more files" in core.troubles(folder, 7)
    huge = core.listed(core.listed(Folder(), {"x": Stat(1 << 40, 1, 1)}), {"x": Stat(1 << 40, 1, 1)})
    assert core.unread(huge) == ()
    assert core.troubles(huge, 0) == "x has more than 32 MB."


def test_a_name_that_no_source_can_have_is_told_and_left_alone() -> None:
    listing = {"a\nb": Stat(1, 1, 1), "x" * 301: Stat(1, 1, 2)}
    folder = core.listed(core.listed(Folder(), listing), listing)
    assert core.unread(folder) == ()
    assert r"'a\nb'" in core.troubles(folder, 0)


@given(st.integers(50, 60_000), st.floats(0, 60_000), st.integers(0, 100))
def test_a_folder_is_left_alone_for_longer_where_looking_is_slow_or_comes_to_nothing(
    scan_ms: int, took_ms: float, failures: int
) -> None:
    rest_ms = core.folder_rest_ms(scan_ms, took_ms, failures)
    assert rest_ms >= scan_ms
    assert rest_ms >= core.LOOK_SHARE * took_ms
    assert rest_ms <= max(core.FOLDER_REST_MS_MAX, scan_ms, core.LOOK_SHARE * took_ms)


# -- Addresses ----------------------------------------------------------------------------------------------------------

ANSWERS = st.one_of(
    st.just(Unchanged()),
    st.builds(Version, digest=TEXTS.map(digest), etag=st.sampled_from(["", '"1"', '"2"'])),
    st.builds(Refused, message=st.just("503"), retry_after_ms=st.none() | st.integers(0, 86_400_000)),
)
EVERY_MS = 60_000


def _looks(answers: list[core.Answer], lucks: Iterator[float]) -> Iterator[tuple[WatchState, WatchState]]:
    """Each look of an address, before and after; time passes until the next is due."""
    state, now = WatchState(), 1_000_000
    for answer in answers:
        now = max(now, core.due_at_ms(state))
        before = core.claimed(state, now)
        state = core.answered(before, answer, now + 10, EVERY_MS, next(lucks))
        yield before, state
        now += 10


@given(st.lists(ANSWERS, max_size=20), st.floats(0, 0.999))
def test_an_address_is_asked_no_sooner_than_it_wants_and_no_later_than_it_must(
    answers: list[core.Answer], luck: float
) -> None:
    failures = 0
    for answer, (_, state) in zip(answers, _looks(answers, iter([luck] * 20)), strict=True):
        rest_ms = core.due_at_ms(state) - state.looked_at_ms
        if isinstance(answer, Refused):
            failures += 1
            assert rest_ms >= (answer.retry_after_ms or 0)
            assert rest_ms >= EVERY_MS / 2
            assert rest_ms <= max(answer.retry_after_ms or 0, core.ADDRESS_REST_MS_MAX)
            assert state.trouble == "503"
            told = replace(state, told_at_ms=state.looked_at_ms + 1)
            assert core.due_at_ms(told) >= state.held_until_ms, "patience that was asked for is broken"
        else:
            failures = 0
            assert 0.9 * EVERY_MS - 1 <= rest_ms <= 1.1 * EVERY_MS
            assert state.trouble == ""
        assert state.failures == failures


def test_a_server_is_asked_only_about_the_version_that_the_document_has() -> None:
    state = core.answered(WatchState(), Version(digest="d1", etag='"1"'), 1_000, EVERY_MS, 0.5)
    assert core.asked_about(state, "d1") == ('"1"', "")
    assert core.asked_about(state, "d2") == ("", "")
    assert core.asked_about(state, None) == ("", "")


def test_who_says_that_it_changed_is_obeyed_at_once_and_once() -> None:
    rested = core.answered(core.claimed(WatchState(), 1_000), Unchanged(), 1_010, EVERY_MS, 0.5)
    told = replace(rested, told_at_ms=50_000)
    assert core.due_at_ms(told) == 50_000
    looking = core.claimed(told, 50_001)
    assert core.due_at_ms(core.answered(looking, Unchanged(), 50_020, EVERY_MS, 0.5)) > 100_000
    again = replace(core.answered(looking, Unchanged(), 50_020, EVERY_MS, 0.5), told_at_ms=50_010)
    assert core.due_at_ms(again) == 50_020 + core.TOLD_GAP_MS, "what was said during a look is looked at after it"


def test_while_one_watcher_looks_another_waits_and_not_for_ever() -> None:
    looking = core.claimed(WatchState(), 1_000)
    assert core.due_at_ms(looking) == 1_000 + core.CLAIM_MS


# -- Globs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("**", ["a.md", "b/c/d.md"], []),
        ("*.md", ["a.md"], ["b/a.md", "a.mdx", "amd"]),
        ("**/*.md", ["a.md", "b/c/a.md"], ["a.txt"]),
        ("b/**", ["b/a", "b/c/a"], ["a", "bb/a"]),
        ("b/*/x?.txt", ["b/c/x1.txt"], ["b/c/x.txt", "b/c/d/x1.txt"]),
        ("[ab].md", ["a.md", "b.md"], ["c.md"]),
        ("[!ab].md", ["c.md"], ["a.md"]),
        ("a[", ["a["], ["a"]),
        ("[a-c-]x[z-a]", [], ["ax", "axz"]),
        ("[a-c-].md", ["b.md", "-.md"], ["d.md"]),
        ("*.tar.*", ["a.tar.tar.gz"], ["a.tar"]),
        ("(a|b).md", ["(a|b).md"], ["a.md"]),
    ],
)
def test_a_glob_means_what_it_means_in_a_shell(glob: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in (*yes, *no) if matches(glob, path)] == yes


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_glob_is_too_odd_to_be_asked(glob: str, path: str) -> None:
    matches(glob, path)


def test_no_glob_takes_for_ever() -> None:
    assert not matches("*a" * 90, "a" * 250 + "b")
    assert not matches("**/" * 60 + "x", "a/" * 16 + "y")
