"""compose.yaml and Dockerfile against the code: every command, port, variable and health check, and then all of it run.

There is no container here. The commands are run as they stand, with their environment, the containers' names and ports
exchanged for this machine's; what only a container engine can show (images, volumes, networks) is not shown.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import httpx2
import pytest
import yaml
from typer.main import get_command

from schemas.subjects import ServiceName
from services.cli.health import Part
from services.cli.main import SERVICES, app
from services.cli.nats_config import USERS, nats_config, new_passwords, password_variable
from services.cli.ports import free_port
from services.shared.settings import Settings

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PARTS: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
BIN: Final = Path(sysconfig.get_path("scripts"))
COMMANDS: Final = {**getattr(get_command(app), "commands", {})}
REFERENCE: Final = re.compile(r"\$\{(\w+):\?[^}]*\}")
UP_S: Final = 60.0
LOOK_S: Final = 0.5


def test_there_is_a_container_for_the_bus_and_for_each_service() -> None:
    assert set(PARTS) == {"nats", *SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_each_container_runs_the_command_of_its_name(name: str) -> None:
    assert PARTS[name]["command"] == [name]
    assert name in COMMANDS
    assert "entrypoint" not in PARTS[name]
    assert PARTS[name]["depends_on"] == {"nats": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", PARTS)
def test_each_container_is_asked_how_it_is_by_a_command_that_knows(name: str) -> None:
    assert PARTS[name]["healthcheck"]["test"] == ["CMD", "scriptorium", "health", name]
    assert name in get_args(Part)


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_its_own_password_and_settings_that_exist(
    name: ServiceName, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = PARTS[name]["environment"]
    secrets = {variable: value for variable, value in environment.items() if "PASSWORD" in variable}
    assert [*secrets] == ["SCRIPTORIUM_BUS__PASSWORD"]
    found = REFERENCE.fullmatch(secrets["SCRIPTORIUM_BUS__PASSWORD"])
    assert found is not None
    assert found[1] == password_variable(name)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    settings = Settings()  # Refuses what it does not know.
    told = sum(len(part.model_fields_set) for part in (settings.bus, settings.gateway, settings.simulator))
    assert told == len(environment)


def test_the_bus_has_all_passwords_and_listens_where_the_services_look() -> None:
    bus = PARTS["nats"]
    assert [*bus["environment"]] == [password_variable(user) for user in USERS]
    assert all(REFERENCE.fullmatch(value) for value in bus["environment"].values())
    ports = {re.sub(r"^nats://nats:", "", PARTS[name]["environment"]["SCRIPTORIUM_BUS__URL"]) for name in SERVICES}
    assert ports == {"4222"}
    assert "--listen 0.0.0.0:4222" in bus["command"][0]
    assert "--store /data/" in bus["command"][0]
    assert bus["volumes"] == ["data:/data"]


def test_who_calls_the_simulator_looks_where_it_listens() -> None:
    port = PARTS["simulator"]["environment"]["SCRIPTORIUM_SIMULATOR__PORT"]
    for name in ("gateway", "planner", "writer"):
        assert PARTS[name]["environment"]["SCRIPTORIUM_SIMULATOR__HOST"] == "simulator"
        assert PARTS[name]["environment"]["SCRIPTORIUM_SIMULATOR__PORT"] == port


def test_only_the_gateway_is_published_and_only_on_this_machine() -> None:
    published = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    port = PARTS["gateway"]["environment"]["SCRIPTORIUM_GATEWAY__PORT"]
    assert published == {"gateway": [f"127.0.0.1:{port}:{port}"]}
    assert f"EXPOSE {port}\n" in DOCKERFILE


def test_containers_may_do_nothing_that_they_need_not() -> None:
    for part in PARTS.values():
        assert part["read_only"]
        assert part["cap_drop"] == ["ALL"]
    assert re.search(r"^USER scriptorium$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_made_of_files_that_exist_on_a_python_that_will_do() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert set(re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE)) == {wanted.removeprefix(">=")}
    assert re.search(r'^ENTRYPOINT \["scriptorium"\]$', DOCKERFILE, re.MULTILINE)


def test_what_the_image_installs_is_what_was_tested() -> None:
    pin = re.compile(r"^([\w.-]+==\S+)", re.MULTILINE)
    all_, run = (
        set(pin.findall((ROOT / name).read_text(encoding="utf-8")))
        for name in ("requirements.lock", "requirements.run.lock")
    )
    assert run < all_


def test_the_server_reads_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "nats.conf"
    file.write_text(nats_config("127.0.0.1:4222", str(tmp_path)), encoding="utf-8")
    command = [str(BIN / "nats-server"), "-t", "--config", str(file)]
    told = subprocess.run(command, env={**new_passwords()}, capture_output=True, text=True, check=False)  # noqa: S603 -- our own binary
    assert told.returncode == 0, told.stderr


# -- All of it, run -------------------------------------------------------------------------------------------------------


def _environment(part: dict[str, Any], passwords: dict[str, str], ports: dict[str, str]) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRIPTORIUM_")}
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    for name, value in part.get("environment", {}).items():
        told = REFERENCE.sub(lambda match: passwords[match[1]], value)
        environment[name] = _moved(told, ports)
    return environment


def _moved(text: str, ports: dict[str, str]) -> str:
    here = re.sub(r"\b(?:nats(?=:\d)|simulator$|0\.0\.0\.0)", "127.0.0.1", text)
    return re.sub(r"\b(?:4222|8790|8080)\b", lambda match: ports[match[0]], here)


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Every command of compose.yaml, running; the environment of each by name."""
    folder = tmp_path_factory.mktemp("compose")
    passwords = new_passwords()
    ports = {port: str(free_port()) for port in ("4222", "8790", "8080")}
    environments = {name: _environment(part, passwords, ports) for name, part in PARTS.items()}
    # A bus that is another machine's address there is this machine's here.
    environments["nats"]["SCRIPTORIUM_BUS__URL"] = f"nats://127.0.0.1:{ports['4222']}"
    with contextlib.ExitStack() as stack:
        for name, part in PARTS.items():
            entrypoint = part.get("entrypoint", ["scriptorium"])
            words = (
                [name]
                if part["command"] == [name]
                else [_moved(re.sub(r"/(?:tmp|data)\b", str(folder), word), ports) for word in part["command"]]
            )
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            command = [*entrypoint, *words]
            process = subprocess.Popen(command, env=environments[name], stdout=log, stderr=log, cwd=folder)  # noqa: S603 -- our own programs
            stack.callback(_end, process)
        yield environments


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", PARTS)
def test_each_becomes_well(name: str, containers: dict[str, dict[str, str]]) -> None:
    command = shlex.join(PARTS[name]["healthcheck"]["test"][1:])
    deadline = time.monotonic() + UP_S
    while True:
        told = subprocess.run(  # noqa: S602 -- our own command, as compose runs it
            command, env=containers[name], shell=True, capture_output=True, text=True, check=False
        )
        if told.returncode == 0:
            return
        assert time.monotonic() < deadline, told.stderr
        time.sleep(LOOK_S)  # Each look is a process, and what it looks at is to come up meanwhile.


def test_a_document_could_be_written(containers: dict[str, dict[str, str]]) -> None:
    port = containers["gateway"]["SCRIPTORIUM_GATEWAY__PORT"]
    assert httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
