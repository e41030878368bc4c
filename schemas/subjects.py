"""The only subject strings, and who may use them.

`doc.<doc>` and `command.<doc>` are what publishers write. The server stores them as `doc.<partition>.<doc>` and
`command.<partition>.<doc>`, partition being a hash of the document, so that conductors share the work with no one in charge.
What is stored is republished under `live.`, with its sequence in the headers, to whoever listens.
"""

from __future__ import annotations

from typing import Literal

PARTITIONS = 8

ServiceName = Literal[
    "gateway", "conductor", "planner", "ingester", "writer", "watcher", "simulator", "supervisor", "operator"
]

FACTS = "FACTS"
INK = "INK"
COMMANDS = "COMMANDS"
JOBS = "JOBS"
DEAD = "DEAD"
VIEWERS = "viewers"
ACCESS = "access"
CACHE = "cache"
DOCUMENTS = "documents"
SNAPSHOTS = "snapshots"
IDEMPOTENCY = "idempotency"
TEMPLATES = "templates"
WATCHES = "watches"
SOURCES = "sources"

HEADER_SEQUENCE = "Nats-Sequence"
HEADER_LAST_SEQUENCE = "Nats-Last-Sequence"
HEADER_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
HEADER_MESSAGE_ID = "Nats-Msg-Id"
HEADER_TIME = "Nats-Time-Stamp"

SIMULATOR_CONTROL = "control.simulator"
"""Dials for the simulator, live (core NATS, request and reply)."""
SUPERVISOR_CONTROL = "control.supervisor"
"""The processes of one `scriptorium up` in demo mode (core NATS, request and reply)."""
METRICS = "metrics.*"
"""Samples for the control room (core NATS, may be lost)."""
MODEL_HOLDS = "models.holds"
"""Which models are held, told by those who ask them to each other (core NATS, may be lost)."""


_JS = "$JS.API"


def facts(document: str) -> str:
    """Where a document's facts are published."""
    return f"doc.{document}"


def facts_stored(document: str = "*", partition: int | None = None) -> str:
    """Where the stream has them: to read, filter, purge."""
    return f"doc.{'*' if partition is None else partition}.{document}"


def live_facts(document: str = "*") -> str:
    """Where they are republished."""
    return f"live.doc.{document}"


def ink(document: str = "*") -> str:
    """Where a document's ink is published, and stored."""
    return f"ink.{document}"


def live_ink(document: str = "*") -> str:
    """Where it is republished."""
    return f"live.ink.{document}"


def command(document: str) -> str:
    """Where a wish about a document is published."""
    return f"command.{document}"


def commands_stored(partition: int) -> str:
    """Where the stream has one partition's wishes."""
    return f"command.{partition}.*"


def job(lane: str, kind: str, document: str = "*", cell: str = "*") -> str:
    """Work: `kind` is `write`, `plan` or `ingest`; `cell` may be a source, for `ingest`."""
    return f"job.{lane}.{kind}.{document}.{cell}"


def dead_job(kind: str, document: str, cell: str) -> str:
    """Where a job goes that killed whoever took it."""
    return f"dead.{kind}.{document}.{cell}"


def dead_jobs(document: str) -> str:
    """All of one document's."""
    return dead_job("*", document, "*")


def metrics(service: str) -> str:
    """A service's samples."""
    return f"metrics.{service}"


def viewer_key(document: str, gateway: str) -> str:
    """The key of a viewer lease."""
    return f"{document}.{gateway}"


def kv(bucket: str, key: str = ">") -> str:
    """The subject of a key-value bucket's key."""
    return f"$KV.{bucket}.{key}"


def snapshot_info(document: str, kind: str = "*") -> str:
    """Where it is said which snapshot of a document there is: its `newest`, or the `base` of a log that was compacted."""
    return f"$O.{SNAPSHOTS}.M.{document}.{kind}"


def snapshot_parts(document: str, kind: str = "*", sequence: int | str = "*", name: str = "*") -> str:
    """Where the parts of one snapshot are, each named anew."""
    return f"$O.{SNAPSHOTS}.C.{document}.{kind}.{sequence}.{name}"


def snapshot_of(subject: str) -> str:
    """The document that an info is about."""
    return subject.split(".")[3]


def of_document(document: str) -> dict[str, str]:
    """Every stream that keeps something of a document, and under which subjects, but for its log and its sources."""
    return {
        f"OBJ_{SNAPSHOTS}": f"$O.{SNAPSHOTS}.*.{document}.>",
        INK: ink(document),
        JOBS: job("*", "*", document, ">"),
        DEAD: dead_job("*", document, ">"),
        f"KV_{VIEWERS}": kv(VIEWERS, viewer_key(document, "*")),
        f"KV_{DOCUMENTS}": kv(DOCUMENTS, owned_key("*", document)),
        f"KV_{WATCHES}": kv(WATCHES, watch_key(document, "*")),
        f"KV_{CACHE}": kv(CACHE, cache_key(document, "*")),
        f"KV_{ACCESS}": kv(ACCESS, document),
    }


def owned_key(owner: str, document: str) -> str:
    """The key that says whose a document is; of the owner `card`, what the library shows of it."""
    return f"{owner}.{document}"


def card_key(document: str) -> str:
    """Where the conductor keeps what the library shows of a document."""
    return owned_key("card", document)


def template_key(owner: str, template: str) -> str:
    """The key of somebody's template."""
    return f"{owner}.{template}"


def watch_key(document: str, watch: str) -> str:
    """The key of a watch."""
    return f"{document}.{watch}"


def live_watches(document: str = "*", watch: str = "*") -> str:
    """Where watches, and the markers of those that ended, are republished."""
    return f"live.watches.{document}.{watch}"


def object_chunks(bucket: str, nuid: str) -> str:
    """Where an object store has the bytes of one object (NATS ADR-20)."""
    return f"$O.{bucket}.C.{nuid}"


def object_info(bucket: str, name: str) -> str:
    """Where it has what it knows of an object; `name` in URL-safe base 64."""
    return f"$O.{bucket}.M.{name}"


def source_changed(watch: str = "*") -> str:
    """Where anybody says that what a watch looks at has changed: when (milliseconds since the Unix epoch), or nothing for now."""
    return f"source.{watch}.changed"


def live_viewers(document: str = "*", gateway: str = "*") -> str:
    """Where leases, and the markers of those that ended, are republished."""
    return f"live.viewers.{document}.{gateway}"


def cache_key(document: str, question: str) -> str:
    """The key of a finished cell: below its document, with which it goes, unless it is shared."""
    return f"{document or 'shared'}.{question}"


def live_cache(key: str = ">") -> str:
    """Where it is said that something was written under a key of the cache, or that a claim on it ran out."""
    return f"live.cache.{key}"


def document_of(subject: str) -> str:
    """The document that a live, stored or published subject of facts or ink is about: its last token."""
    return subject.rsplit(".", 1)[1]


def direct_get(stream: str) -> str:
    """Where a stream is asked for messages that it has (NATS ADR-31)."""
    return f"{_JS}.DIRECT.GET.{stream}"


def stream_info(stream: str) -> str:
    """Where a stream is asked about itself."""
    return f"{_JS}.STREAM.INFO.{stream}"


# -- Who may use what ---------------------------------------------------------------------------------------------------


def inbox(service: ServiceName) -> str:
    """Replies to one service go where no other can listen."""
    return f"_INBOX_{service}"


def _stream_read(*streams: str) -> tuple[str, ...]:
    return tuple(s for name in streams for s in (stream_info(name), direct_get(name), f"{direct_get(name)}.>"))


def _consume(*streams: str) -> tuple[str, ...]:
    return tuple(
        s
        for name in streams
        for s in (
            stream_info(name),
            f"{_JS}.CONSUMER.INFO.{name}.>",
            f"{_JS}.CONSUMER.CREATE.{name}",
            f"{_JS}.CONSUMER.CREATE.{name}.>",
            f"{_JS}.CONSUMER.DURABLE.CREATE.{name}.>",
            f"{_JS}.CONSUMER.MSG.NEXT.{name}.>",
            f"$JS.ACK.{name}.>",
        )
    )


def _bucket_read(*buckets: str) -> tuple[str, ...]:
    return _stream_read(*(f"KV_{bucket}" for bucket in buckets))


def _objects_read(bucket: str = SOURCES) -> tuple[str, ...]:
    # nats-py reads an object through an ordered consumer, and its metadata by STREAM.MSG.GET.
    stream = f"OBJ_{bucket}"
    return (
        f"{_JS}.STREAM.NAMES",
        f"{_JS}.STREAM.MSG.GET.{stream}",
        f"{_JS}.CONSUMER.DELETE.{stream}.>",
        "$JS.FC.>",
        *_stream_read(stream),
        *_consume(stream),
    )


def _objects_write(bucket: str = SOURCES) -> tuple[str, ...]:
    return (
        f"$O.{bucket}.>",
        f"{_JS}.STREAM.PURGE.OBJ_{bucket}",
        f"{_JS}.STREAM.MSG.DELETE.OBJ_{bucket}",
        *_objects_read(bucket),
    )


def _bucket_write(bucket: str) -> tuple[str, ...]:
    """What is overtaken is erased, not only forgotten: that takes more than writing."""
    stream = f"KV_{bucket}"
    return (kv(bucket), f"{_JS}.STREAM.PURGE.{stream}", f"{_JS}.STREAM.MSG.DELETE.{stream}", *_bucket_read(bucket))


PUBLISH: dict[ServiceName, tuple[str, ...]] = {
    "gateway": (
        "doc.*",
        "command.*",
        SIMULATOR_CONTROL,
        SUPERVISOR_CONTROL,
        kv(VIEWERS),
        kv(ACCESS),
        kv(IDEMPOTENCY),
        kv(DOCUMENTS),
        kv(TEMPLATES),
        source_changed(),
        f"{_JS}.INFO",
        f"{_JS}.CONSUMER.INFO.{FACTS}.*",
        f"{_JS}.CONSUMER.INFO.{JOBS}.*",
        *_stream_read(FACTS, INK),
        *_bucket_read(VIEWERS, ACCESS, IDEMPOTENCY, DOCUMENTS, TEMPLATES),
        *_bucket_write(WATCHES),
        *_stream_read(f"OBJ_{SNAPSHOTS}"),
        *_objects_write(),
    ),
    "conductor": (
        "doc.*",
        "job.>",
        kv(DOCUMENTS),
        f"$O.{SNAPSHOTS}.>",
        *_stream_read(f"OBJ_{SNAPSHOTS}"),
        *_objects_read(SOURCES),
        f"{_JS}.>",
        *_consume(FACTS, COMMANDS),
        *_bucket_read(VIEWERS, DOCUMENTS),
    ),
    "planner": (
        "doc.*",
        "dead.>",
        "metrics.planner",
        MODEL_HOLDS,
        *_stream_read(FACTS, f"OBJ_{SNAPSHOTS}"),
        *_consume(JOBS),
        *_objects_read(),
    ),
    "ingester": (
        "doc.*",
        "dead.>",
        "metrics.ingester",
        *_stream_read(FACTS, f"OBJ_{SNAPSHOTS}"),
        *_consume(JOBS),
        *_objects_write(),
    ),
    "writer": (
        "doc.*",
        "ink.*",
        "dead.>",
        "metrics.writer",
        MODEL_HOLDS,
        kv(CACHE),
        *_stream_read(FACTS, INK, f"OBJ_{SNAPSHOTS}"),
        *_bucket_read(CACHE),
        *_consume(JOBS),
        *_objects_read(),
    ),
    "watcher": (
        "doc.*",
        *_stream_read(FACTS, f"OBJ_{SNAPSHOTS}"),
        *_bucket_write(WATCHES),
        *_objects_write(),
    ),
    "simulator": ("metrics.simulator",),
    "supervisor": ("metrics.supervisor",),
    "operator": (">",),
}
"""What each service may publish, requests included. The conductor makes streams and buckets, hence all of the API."""

SUBSCRIBE: dict[ServiceName, tuple[str, ...]] = {
    "gateway": (live_facts(), live_ink(), command("*"), "job.>", "dead.>", "metrics.>"),
    "conductor": (live_facts(), live_viewers()),
    "planner": (live_facts(), MODEL_HOLDS),
    "ingester": (live_facts(),),
    "writer": (live_facts(), live_cache(), MODEL_HOLDS),
    "watcher": (live_facts(), live_watches(), source_changed()),
    "simulator": (SIMULATOR_CONTROL,),
    "supervisor": (SUPERVISOR_CONTROL,),
    "operator": (">",),
}
"""What each may hear, beside its own inbox."""


def permissions(service: ServiceName) -> dict[str, dict[str, list[str]]]:
    """A service's permissions as nats-server's configuration spells them."""
    return {
        "publish": {"allow": [*PUBLISH[service]]},
        "subscribe": {"allow": [*SUBSCRIBE[service], f"{inbox(service)}.>"]},
        "allow_responses": {"max": 1, "expires": "5s"},  # pyright: ignore[reportReturnType]
    }
