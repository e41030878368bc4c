"""The only streams, buckets and limits. `services/shared/provision.py` makes them; nobody else does."""

from __future__ import annotations

from nats.js.api import (
    DiscardPolicy,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)

from schemas import subjects

INK_AGE_S = 15 * 60
"""Longer than any attempt may run."""
LEASE_TTL_S = 6
"""A killed gateway's viewers are gone after this; a live one renews every third of it."""
CACHE_TTL_S = 7 * 24 * 3_600
CLAIM_TTL_S = 6
"""A killed writer's claim on a question is over after this; a live one renews every third of it."""
IDEMPOTENCY_TTL_S = 24 * 3_600
DUPLICATE_WINDOW_S = 10 * 60
FACTS_BYTES_MAX = 2 * 1024**3
SOURCES_BYTES_MAX = 2 * 1024**3
INK_BYTES_MAX = 512 * 1024**2
MESSAGE_BYTES_MAX = 4 * 1024**2
"""The bus's `max_payload`: the longest cell and the largest outline fit."""


def _partitioned(first: str) -> SubjectTransform:
    return SubjectTransform(
        src=f"{first}.*", dest=f"{first}.{{{{partition({subjects.PARTITIONS},1)}}}}.{{{{wildcard(1)}}}}"
    )


def _bucket(name: str, discard: DiscardPolicy = DiscardPolicy.NEW, history: int = 1, **more: object) -> StreamConfig:
    # The shape that nats-py's key_value() expects of a bucket's stream (ADR-8 of nats-architecture-and-design).
    return StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        max_msgs_per_subject=history,
        allow_rollup_hdrs=True,
        allow_direct=True,
        discard=discard,
        **more,  # pyright: ignore[reportArgumentType] -- StreamConfig's own fields, by name
    )


def _objects(name: str, bytes_max: int) -> StreamConfig:
    # The shape that nats-py's object_store() expects (ADR-20).
    return StreamConfig(
        name=f"OBJ_{name}",
        subjects=[f"$O.{name}.C.>", f"$O.{name}.M.>"],
        storage=StorageType.FILE,
        allow_direct=True,
        allow_rollup_hdrs=True,
        discard=DiscardPolicy.NEW,
        max_bytes=bytes_max,
    )


STREAMS: tuple[StreamConfig, ...] = (
    StreamConfig(
        name=subjects.FACTS,
        subjects=["doc.*"],
        subject_transform=_partitioned("doc"),
        republish=RePublish(src="doc.*.*", dest="live.doc.{{wildcard(2)}}"),
        storage=StorageType.FILE,
        allow_direct=True,
        discard=DiscardPolicy.NEW,
        max_bytes=FACTS_BYTES_MAX,
        duplicate_window=DUPLICATE_WINDOW_S,
    ),
    StreamConfig(
        name=subjects.INK,
        subjects=["ink.*"],
        republish=RePublish(src="ink.*", dest="live.ink.{{wildcard(1)}}"),
        storage=StorageType.MEMORY,
        allow_direct=True,
        max_age=INK_AGE_S,
        max_bytes=INK_BYTES_MAX,
        discard=DiscardPolicy.OLD,
    ),
    StreamConfig(
        name=subjects.COMMANDS,
        subjects=["command.*"],
        subject_transform=_partitioned("command"),
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=24 * 3_600,
        max_bytes=64 * 1024**2,
        duplicate_window=DUPLICATE_WINDOW_S,
    ),
    StreamConfig(
        name=subjects.JOBS,
        subjects=["job.>"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=24 * 3_600,
        max_bytes=256 * 1024**2,
        duplicate_window=DUPLICATE_WINDOW_S,
    ),
    StreamConfig(
        name=subjects.DEAD,
        subjects=["dead.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=7 * 24 * 3_600,
        max_bytes=64 * 1024**2,
    ),
    _bucket(
        subjects.VIEWERS,
        storage=StorageType.MEMORY,
        allow_msg_ttl=True,
        subject_delete_marker_ttl=LEASE_TTL_S,
        republish=RePublish(src="$KV.viewers.*.*", dest="live.viewers.{{wildcard(1)}}.{{wildcard(2)}}"),
        max_bytes=64 * 1024**2,
    ),
    _bucket(subjects.ACCESS, storage=StorageType.FILE, max_bytes=256 * 1024**2),
    _bucket(subjects.IDEMPOTENCY, storage=StorageType.FILE, max_age=IDEMPOTENCY_TTL_S, max_bytes=256 * 1024**2),
    _bucket(
        subjects.CACHE,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_age=CACHE_TTL_S,
        allow_msg_ttl=True,
        subject_delete_marker_ttl=CLAIM_TTL_S,
        republish=RePublish(src="$KV.cache.*.*", dest="live.cache.{{wildcard(1)}}.{{wildcard(2)}}", headers_only=True),
        max_bytes=512 * 1024**2,
    ),
    # The card before the newest stays until it is erased: evicted, its words would stay on the disk.
    _bucket(subjects.DOCUMENTS, history=2, storage=StorageType.FILE, max_bytes=256 * 1024**2),
    _bucket(subjects.TEMPLATES, storage=StorageType.FILE, max_bytes=64 * 1024**2),
    # Likewise: an address that is watched may be nobody's business.
    _bucket(
        subjects.WATCHES,
        history=2,
        storage=StorageType.FILE,
        republish=RePublish(src="$KV.watches.*.*", dest="live.watches.{{wildcard(1)}}.{{wildcard(2)}}"),
        max_bytes=64 * 1024**2,
    ),
    _objects(subjects.SOURCES, SOURCES_BYTES_MAX),
    _objects(subjects.SNAPSHOTS, 512 * 1024**2),
)

FILE_STORE_BYTES_MAX = 12 * 1024**3
"""The server's `max_file_store`: above the sum of the streams' own limits, which it reserves, by the largest one, which it
counts twice when it is asked to make sure of a stream that is there."""
MEMORY_STORE_BYTES_MAX = 2 * 1024**3
