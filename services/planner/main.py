"""The planner: a FastStream worker around the attempt that asks a model for an outline."""

from __future__ import annotations

import logging
import os
import secrets

from schemas import subjects
from schemas.document import Document
from schemas.jobs import AnyJob, PlanOutline
from services.planner.outline import OutlineWork, messages
from services.shared.attempt.blocks import Sources
from services.shared.attempt.look import Ask
from services.shared.attempt.models import Models, chain_of, registry_of
from services.shared.attempt.plan import Release
from services.shared.attempt.runner import Prepared, Runner
from services.shared.bus import connect
from services.shared.ending import Ending, run
from services.shared.health.telling import Telling
from services.shared.provision import provisioned
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.shared.work import Worker, broker_for

SLOTS = 8
"""Outlines planned at a time; almost all of that is waiting for a model."""


class Planner:
    """The planner's purpose, and what it does with a job."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        self._settings = settings
        self._sources = sources

    async def prepare(self, document: Document, ask: Ask) -> Prepared | None:  # noqa: ARG002 -- the runner's signature
        """None: the document has its outline."""
        if document.outline:
            return None
        limits = self._settings.limits
        sources = await self._sources.of(document)
        return Prepared(
            work=OutlineWork(messages(document, sources, limits.passages_max)),
            chain=chain_of(document.policy.model, self._settings.models.plan),
            tokens_out_max=limits.plan_tokens_out_max,
            structured="bad_outline",
        )


class Jobs:
    """Between the queue and the runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def do(self, job: AnyJob, delivery: int) -> Release:
        """Plan one outline."""
        if not isinstance(job, PlanOutline):
            return "ack"
        return await self._runner.run(Ask.of(job), delivery)

    async def bury(self, job: AnyJob) -> None:
        """A plan that killed every planner that took it."""
        if isinstance(job, PlanOutline):
            await self._runner.bury(Ask.of(job))


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A job that is cut off goes back to the queue at once."""
    ending = Ending()
    bus = await connect(settings.bus, "planner")
    await provisioned(bus)
    models = Models(registry_of(settings), settings.limits, settings.health)
    planner = Planner(settings, Sources(await SourceStore.open(bus)))
    name = f"planner-{os.getpid()}-{secrets.token_hex(2)}"
    runner = Runner(bus, models, planner, name=name)
    telling = Telling(bus, models.keeper, name=name, service="planner", slots=SLOTS, jobs=lambda: len(runner.sessions))
    await telling.start()
    work = Jobs(runner)
    broker = broker_for(settings.bus, "planner")
    worker = Worker(
        bus,
        broker,
        durable="planner",
        subject=subjects.job("*", "plan"),
        slots=SLOTS,
        do=work.do,
        bury=work.bury,
    )
    await broker.start()
    print("planner ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    await ending.asked()
    await worker.close()
    await broker.stop()
    await telling.close()
    await runner.close()
    await bus.close()


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx2", "bm25s"):  # A line a call says nothing that the log of facts does not.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    run(serve(Settings().resolved()))
