"""What a control room is shown and what it may ask for: the bus as it happens, samples, dials, and the processes of one `up`.

Samples go over core NATS and may be lost. Wishes are requests on `control.>`; they are answered with what was done, or why not.
Times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

OperationKind = Literal["fact", "ink", "command", "job", "dead", "sample"]
ProcessState = Literal["running", "resting", "frozen", "restarting", "ending", "over"]
Action = Literal["kill", "freeze", "thaw", "restart"]
Value = str | int | float | bool | None


# -- The stream of operations ---------------------------------------------------------------------------------------------


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the bus that has to do with a document, or a sample about the house it is written in."""

    kind: OperationKind
    subject: str
    at_ms: int
    """When it happened, for a fact; when this gateway heard of it, for all else."""
    sequence: int = 0
    """In its stream; 0 where it is in none, or where that is not told."""
    event: msgspec.Raw
    """Its JSON, as it was on the bus."""


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """So many operations, none of them a fact, were left out: this control room is slower than the bus."""

    dropped: int


# -- Samples --------------------------------------------------------------------------------------------------------------


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """A passing remark about the house; nobody waits for it."""

    at_ms: int


class BusLost(Sample, frozen=True, kw_only=True, tag=True):
    """This gateway has no connection to the bus."""


class BusReturned(Sample, frozen=True, kw_only=True, tag=True):
    """It has one again, and reads what it has missed of the log."""

    away_ms: int


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One durable consumer of the job queue."""

    name: str
    waiting: int
    """Jobs that nobody has taken yet."""
    taken: int
    """Jobs that were taken and are not settled."""
    redelivered: int
    """Of those taken, how many had been given to somebody before."""


class QueuesSampled(Sample, frozen=True, kw_only=True, tag=True):
    """How full the queues are."""

    queues: tuple[Queue, ...]


class DialsTurned(Sample, frozen=True, kw_only=True, tag=True):
    """The simulator's live dials were turned: for one model, or for `*`."""

    model: str
    dials: dict[str, Value]
    reset: bool = False


class ProcessSample(Sample, frozen=True, kw_only=True):
    """Something happened to a process that `scriptorium up` keeps running."""

    process: str
    pid: int


class ProcessStarted(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It runs."""


class ProcessDied(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It is gone; `code` is negative for a signal."""

    code: int


class ProcessKilled(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It was sent SIGKILL."""


class ProcessTerminated(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It was asked to end: SIGTERM."""


class ProcessFrozen(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It was stopped in its tracks: SIGSTOP."""


class ProcessThawed(ProcessSample, frozen=True, kw_only=True, tag=True):
    """It goes on as if nothing had happened: SIGCONT."""


AnyProcessSample = ProcessStarted | ProcessDied | ProcessKilled | ProcessTerminated | ProcessFrozen | ProcessThawed
HouseSample = BusLost | BusReturned | QueuesSampled | DialsTurned | AnyProcessSample

encode = msgspec.json.Encoder().encode


# -- The simulator's dials ------------------------------------------------------------------------------------------------


class TurnDials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turn live dials: for one model or for `*`. None puts a dial back; `reset` puts back all that are not named."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "*"
    dials: dict[str, Value] = {}
    reset: bool = False


# -- The supervisor's processes -------------------------------------------------------------------------------------------


class ActOnProcess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kill` is SIGKILL, as a crash would; `freeze` SIGSTOP, for a while; `thaw` SIGCONT; `restart` SIGTERM and a new start."""

    process: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    action: Action


decode_act = msgspec.json.Decoder(ActOnProcess).decode


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process, and what it is doing. `pid` is 0 where there is none just now."""

    name: str
    pid: int
    state: ProcessState


class ProcessesShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The supervisor's answer: what it did, in words, and what there is now. Or why it did nothing."""

    processes: tuple[Process, ...] = ()
    did: str = ""
    refused: str = ""


decode_processes = msgspec.json.Decoder(ProcessesShown).decode
