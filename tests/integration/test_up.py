"""`scriptorium up` as a user runs it: real processes, real signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.shared.settings import CONFIG_VARIABLE
from tests.system import System, running

SERVICES = ("simulator", "conductor", "ingester", "planner", "watcher", "writer", "gateway", "nats-server")
END_S = 5.0
STAT = re.compile(r"^\d+ \(.*\) (\S) (\d+) ", re.DOTALL)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def system(data: Path) -> Iterator[System]:
    with running(data, "--writers", "2") as started:
        yield started


def _family(pid: int) -> set[int]:
    """A process and all that descends from it."""
    parents = {child: parent for child, (state, parent) in _processes().items() if state != "Z"}
    family = {pid}
    while found := {child for child, parent in parents.items() if parent in family} - family:
        family |= found
    return family


def _processes() -> dict[int, tuple[str, int]]:
    found: dict[int, tuple[str, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            match = STAT.match(stat.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if match:
            found[int(stat.parent.name)] = (match[1], int(match[2]))
    return found


def _gone_within(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = {pid for pid, (state, _) in _processes().items() if pid in pids and state != "Z"}
        if not alive:
            return True
        os.sched_yield()
    return False


def _refused(system: System, *arguments: str) -> str:
    """What `up` says where it does not begin; in this process. Whatever it let pass, it would still be refused its port."""
    port = system.gateway.rsplit(":", 1)[1]
    done = CliRunner().invoke(app, ["up", "--port", port, *arguments], env={CONFIG_VARIABLE: None})
    assert done.exit_code == 2, (done.output, done.exception)
    return done.stderr


def _up(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", "up", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 -- our own program


def test_every_service_says_that_it_is_there_and_the_address_answers(system: System) -> None:
    assert httpx2.get(f"{system.gateway}/readyz", trust_env=False).status_code == 200
    assert all(system.pids(service) for service in SERVICES)
    assert len(system.pids("writer")) == 2


def test_each_service_is_given_its_own_password_and_no_other(system: System) -> None:
    passwords = {
        service: re.findall(
            rb"PASSWORD[^=]*=(p[0-9a-f]{48})", Path(f"/proc/{system.pids(service)[0]}/environ").read_bytes()
        )
        for service in SERVICES
        if service != "nats-server"
    }
    assert all(len(found) == 1 for found in passwords.values())
    assert len({found[0] for found in passwords.values()}) == len(passwords)


def test_no_password_is_written_down(system: System, data: Path) -> None:
    environment = Path(f"/proc/{system.pids('nats-server')[0]}/environ").read_bytes()
    passwords = re.findall(rb"SCRIPTORIUM_NATS_PASSWORD_\w+=(p[0-9a-f]{48})", environment)
    assert len(passwords) >= 6
    written = b"".join(
        file.read_bytes() for file in data.rglob("*") if file.is_file() and "jetstream" not in file.parts
    )
    assert not [password for password in passwords if password in written]


def test_a_writer_that_is_killed_is_started_again(system: System) -> None:
    before, said = set(system.pids("writer")), len(system.lines)
    killed = system.kill("writer")
    system.until_said("died (signal 9)", "writer ready", after=said)
    after = set(system.pids("writer"))
    assert killed not in after
    assert len(after) == 2
    assert len(before & after) == 1


def test_a_data_folder_has_one_house_at_a_time(system: System, data: Path) -> None:
    assert system.process.poll() is None
    refused = _up("--port", "0", "--data", str(data))
    assert refused.returncode == 2
    assert "another `scriptorium up` is using it" in refused.stderr


def test_a_port_that_is_taken_is_refused_by_name(system: System, tmp_path: Path) -> None:
    port = system.gateway.rsplit(":", 1)[1]
    refused = _up("--port", port, "--data", str(tmp_path))
    assert refused.returncode == 2
    assert f"--port {port}" in refused.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models]\nwrite = ['nobody/small']\n", "no provider is called 'nobody'"),
        ("[writer]\nslots = 0\n", "writer.slots"),
        ("[writers]\nslots = 1\n", "writers"),
        ("[models\n", "cannot be read"),
        ("[providers.local]\nbase_url = 'localhost:1'\n", "base_url must begin with http"),
    ],
)
def test_a_bad_configuration_is_refused_before_anything_starts(
    text: str, said: str, system: System, tmp_path: Path
) -> None:
    file = tmp_path / "scriptorium.toml"
    file.write_text(text, encoding="utf-8")
    assert said in _refused(system, "--data", str(tmp_path / "data"), "--config", str(file))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("wrong", ["notes", "=/tmp", "no tes=/tmp", "notes=", "notes=/nowhere/at/all"])
def test_a_folder_that_cannot_be_watched_is_refused_before_anything_starts(
    wrong: str, system: System, tmp_path: Path
) -> None:
    assert f"--watch {wrong}" in _refused(system, "--data", str(tmp_path / "data"), "--watch", wrong)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "--writers", "1") as system:
        family = _family(system.process.pid)
        assert len(family) > len(SERVICES)
        system.process.send_signal(number)
        assert system.process.wait(END_S) == 0
        assert _gone_within(family, 0.5)


def test_even_sigkill_leaves_no_process(tmp_path: Path) -> None:
    with running(tmp_path, "--writers", "1") as system:
        family = _family(system.process.pid)
        system.process.kill()
        system.process.wait()
        assert _gone_within(family, END_S)
