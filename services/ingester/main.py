"""The ingester: reads sources, and says in the document's log what became of each."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from schemas import subjects
from schemas.document import Document
from schemas.events import SourceFailed, SourceIngested
from schemas.jobs import AnyJob, IngestSource
from services.ingester.apart import read_apart
from services.ingester.kinds import is_simple
from services.ingester.reading import Given, Outcome, Read, Unreadable, read
from services.shared.bus import Bus, connect
from services.shared.clock import now_ms
from services.shared.ending import Ending, run
from services.shared.log import ConflictError, append
from services.shared.opening import read_document
from services.shared.provision import provisioned
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.shared.work import Worker, broker_for

log = logging.getLogger(__name__)

SLOTS = 2
"""Sources read at a time; reading one is work for one core."""
KNOWN_MAX = 8
"""Documents kept as they were last seen. Of one with hundreds of sources the log grows while they are read: each time only what is new
of it is looked at."""


class Ingester:
    """What is done with a job; everything it needs to know is in the log and in the object store."""

    def __init__(self, bus: Bus, store: SourceStore) -> None:
        self._bus = bus
        self._store = store
        self._known: OrderedDict[str, Document] = OrderedDict()

    async def do(self, job: AnyJob, _delivery: int) -> None:
        """Read one source, unless that is done already. Also in a paused document: it costs no model call."""
        if not isinstance(job, IngestSource):
            return
        document = await self._wanting(job)
        if document is None:
            return
        given = document.sources[job.source].given
        data = await self._store.get_bytes(job.document, job.source, given.digest)
        if data is None:
            outcome: Outcome = Unreadable(message="Its bytes are not there.")
        else:
            outcome = await _read(Given(source=given.id, name=given.name, media_type=given.media_type, data=data))
        match outcome:
            case Read(passages=passages):
                # The passages before the fact: whoever reads that there are some finds them.
                await self._store.put_passages(job.document, given.digest, passages)
                fact = SourceIngested(
                    at_ms=now_ms(),
                    source=job.source,
                    digest=passages.digest,
                    passages=len(passages.passages),
                    characters=len(passages.text),
                    pages=passages.pages,
                )
            case Unreadable(message=message):
                fact = SourceFailed(at_ms=now_ms(), source=job.source, message=message)
        await self._say(job, fact, given.digest)

    async def bury(self, job: AnyJob) -> None:
        """A source that killed every ingester that took it."""
        if isinstance(job, IngestSource):
            message = "Reading it failed again and again."
            await self._say(job, SourceFailed(at_ms=now_ms(), source=job.source, message=message, kind="poison"))

    async def _say(self, job: IngestSource, fact: SourceIngested | SourceFailed, digest: str | None = None) -> None:
        """Append what became of a source, once, whoever else had its job too, and unless it was replaced in the meantime."""
        while (document := await self._wanting(job)) is not None:
            if digest not in {None, document.sources[job.source].given.digest}:
                return  # What replaced it has a job of its own.
            try:
                await append(self._bus, job.document, fact, expected=document.sequence)
            except ConflictError as error:
                if error.last < document.sequence:  # What is known of it is more than there is: it was thrown away.
                    self._known.pop(job.document, None)
                continue  # Something else happened to the document: look again.
            return

    async def _wanting(self, job: IngestSource) -> Document | None:
        """The document, if it has the job's source, and that has neither been read nor given up."""
        document = await self._document(job.document)
        source = None if document is None else document.sources.get(job.source)
        if source is None or source.digest is not None or source.failure is not None:
            return None
        return document

    async def _document(self, id_: str) -> Document | None:
        document = await read_document(self._bus, id_, self._known.get(id_))
        if document is not None:
            self._known[id_] = document
            self._known.move_to_end(id_)
            while len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        return document


async def _read(given: Given) -> Outcome:
    if is_simple(given.data, given.media_type, given.name):
        return await asyncio.to_thread(read, given)
    return await read_apart(given)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A job that is cut off goes back to the queue at once."""
    ending = Ending()
    bus = await connect(settings.bus, "ingester")
    await provisioned(bus)
    ingester = Ingester(bus, await SourceStore.open(bus))
    broker = broker_for(settings.bus, "ingester")
    worker = Worker(
        bus,
        broker,
        durable="ingester",
        subject=f"{subjects.job('*', 'ingest')}",
        slots=SLOTS,
        do=ingester.do,
        bury=ingester.bury,
    )
    await broker.start()
    print("ingester ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    await ending.asked()
    await worker.close()
    await broker.stop()
    await bus.close()


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(serve(Settings().resolved()), by=asyncio.run)
