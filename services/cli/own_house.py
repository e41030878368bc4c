"""Everything that one document needs, for as long as it is written: `scriptorium write --up`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from services.cli.asking import Asking
from services.cli.configuration import config_file, read_settings
from services.cli.house import House, HouseError, Options
from services.cli.supervisor import Supervisor
from services.cli.up import start, until_ready


@asynccontextmanager
async def own_house(asking: Asking) -> AsyncGenerator[str]:
    """Its gateway's address. ValueError where it cannot be started."""
    file = config_file(None)
    settings = read_settings(file)
    with tempfile.TemporaryDirectory(prefix="scriptorium-") as data:
        options = Options(port=0, data=Path(data), config=file)

        def say(name: str, line: str) -> None:
            if not supervisor.starting:
                asking.say(f"{name}: {line}")

        try:
            house = House(options, settings)
        except HouseError as error:
            raise ValueError(str(error)) from None
        with house:
            async with _Quiet(say) as supervisor:
                start(house, supervisor, say)
                with asking.console.status("Starting everything"):
                    await until_ready(house, say)
                supervisor.starting = False
                yield house.address


class _Quiet(Supervisor):
    """Its programs' first words are nobody's interest; what happens later is."""

    starting = True
