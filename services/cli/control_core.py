"""What a wish about a process comes to: which process, and what happens to it; or why nothing does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from schemas.operations import ActOnProcess, ProcessState
from services.cli.supervisor_core import (
    FREEZE_MAX_MS,
    Ending,
    FreezeAsked,
    Frozen,
    KillAsked,
    Over,
    RestartAsked,
    Restarting,
    Resting,
    Running,
    State,
    ThawAsked,
)

BUS = "nats-server"
GATEWAY = "gateway"
Asked = type[KillAsked | FreezeAsked | ThawAsked | RestartAsked]


class Act(NamedTuple):
    """What happens to which process, and what is answered."""

    process: str
    asked: Asked
    """The event for the supervisor, as it lacks nothing but the time."""
    did: str

    @property
    def cuts_the_answer(self) -> bool:
        """The answer goes over the very process: it must be sent first."""
        return self.process == BUS


class Refused(NamedTuple):
    """Nothing happens, and why."""

    reason: str


def weigh(wish: ActOnProcess, states: Mapping[str, State]) -> Act | Refused:
    """Decide by what each process is doing now."""
    name = wish.process
    state = states.get(name)
    if state is None:
        return Refused(f"there is no process {name!r}; there are {', '.join(sorted(states))}")
    if name == GATEWAY:
        return Refused("the gateway is what this wish came through, and its answer must go back")
    if name == BUS and wish.action != "restart":
        return Refused("the bus can only be restarted: the answer goes over it")
    match wish.action, state:
        case "kill", (Running() | Frozen()):
            return Act(name, KillAsked, f"{name} was killed")
        case "freeze", Running():
            return Act(name, FreezeAsked, f"{name} is frozen for up to {FREEZE_MAX_MS // 1_000} s")
        case "thaw", Frozen():
            return Act(name, ThawAsked, f"{name} goes on")
        case "restart", Running():
            return Act(name, RestartAsked, f"{name} was told to end, and is started again")
        case _:
            return Refused(f"{name} is {state_name(state)}")


def state_name(state: State) -> ProcessState:
    """As a control room shows it."""
    match state:
        case Running():
            return "running"
        case Resting():
            return "resting"
        case Frozen():
            return "frozen"
        case Restarting():
            return "restarting"
        case Ending():
            return "ending"
        case Over():
            return "over"
