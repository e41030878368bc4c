"""One model call, from its request to its record."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec

from services.shared.clock import monotonic_ms, now_exact_ms
from services.simulator.answers import answer
from services.simulator.dials import DialBoard, Dials, DialsRefusedError
from services.simulator.faces import Head, Language, NotAQuestionError, Question
from services.simulator.hard_cut import resetter
from services.simulator.limits import Account
from services.simulator.performance import JSON_HEADERS, Receive, Send, Stage, perform
from services.simulator.prompt import understood
from services.simulator.record import CallRecord, Outcome, Records
from services.simulator.schedule import AnyStep, Call, Rejected, schedule, vice_of

BODY_BYTES_MAX: Final = 32 * 1024 * 1024
PROMPTS_MAX: Final = 20_000
ACCOUNTS_MAX: Final = 1_000
ANSWERS_MAX: Final = 512
CHARACTERS_A_TOKEN: Final = 4
LIMIT_MESSAGE: Final = "Rate limit reached for this model. Please try again later."


Kept = TypeVar("Kept")


class Connection(msgspec.Struct, frozen=True):
    """One request's connection and headers, names in lower case."""

    receive: Receive
    send: Send
    reset: Callable[[], None] | None
    headers: dict[str, str]


class TooLargeError(ValueError):
    """The request's body is beyond BODY_BYTES_MAX."""


class Simulator:
    """All that calls share: dials, accounts, records, and how often each prompt was asked."""

    def __init__(self, board: DialBoard) -> None:
        self.board = board
        self.records = Records()
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._asked: OrderedDict[str, int] = OrderedDict()
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()
        # One thread: more of them would only take the loop's turns away.
        self._composer = ThreadPoolExecutor(1, thread_name_prefix="composer")
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def forget(self) -> None:
        """Forget the calls that are over, and how often each prompt was asked."""
        self.records.forget()
        self._asked.clear()

    def account(self, model: str) -> Account:
        """The account of a model; of too many the one that was used the longest ago is forgotten."""
        return _recalled(self._accounts, model, Account, ACCOUNTS_MAX)

    def repeat(self, key: str) -> int:
        """Which repeat of this prompt this is, from 0."""
        ordinal = _recalled(self._asked, key, int, PROMPTS_MAX)
        self._asked[key] = ordinal + 1
        return ordinal

    async def text_for(self, question: Question, digest: str, wording: str) -> str:
        """The answer, composed beside the loop: the streams that run now keep their pace."""
        key = (digest, wording)
        text = self._answers.get(key)
        if text is None:
            asked = understood(question.system, question.user, question.schema)
            text = await asyncio.get_running_loop().run_in_executor(self._composer, answer, asked, wording)
            while len(self._answers) >= ANSWERS_MAX:
                self._answers.popitem(last=False)
            self._answers[key] = text
        return text

    def call_id(self, prefix: str) -> str:
        """A name for a call that no other run's calls have."""
        return f"{prefix}{self._run}{next(self._numbers):012d}"


class Completions:
    """The ASGI endpoint of one protocol."""

    def __init__(self, simulator: Simulator, language: Language) -> None:
        self._simulator = simulator
        self._language = language

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 -- an ASGI scope
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await _body_of(receive)
            question = self._language.read(body)
            dials = self._simulator.board.dials(question.model, headers.get("x-simulator", ""))
        except (NotAQuestionError, DialsRefusedError) as error:
            await self._refuse(send, 400, str(error))
        except TooLargeError as error:
            await self._refuse(send, 413, str(error))
        except ConnectionResetError:
            return
        else:
            connection = Connection(receive, send, resetter(scope), headers)
            await self._call(connection, question, dials)

    async def _refuse(self, send: Send, status: int, message: str) -> None:
        body = self._language.error(status, message)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*JSON_HEADERS, length]})
        await send({"type": "http.response.body", "body": body})

    async def _call(self, connection: Connection, question: Question, dials: Dials) -> None:
        simulator, account = self._simulator, self._simulator.account(question.model)
        began_ms = monotonic_ms()
        record = self._record(connection, question, dials)
        simulator.records.begin(record)
        wait_ms = account.wait_ms(dials, record.tokens_in + (question.tokens_max or 0), began_ms)
        outcome: tuple[Outcome, float] = ("failed", record.began_at_ms)
        account.running += 1
        try:
            if wait_ms is None:
                steps = await self._steps(record, question, dials)
            else:
                record.vice = "limit"
                steps = _over_limit(dials, wait_ms)
            head = Head(
                id=record.id,
                model=question.model,
                created_s=int(record.began_at_ms / 1_000),
                tokens_in=record.tokens_in,
                include_usage=question.include_usage,
                refusing=record.vice == "refusal",
            )
            stage = Stage(
                language=self._language,
                face=self._language.face(head),
                record=record,
                send=connection.send,
                reset=connection.reset,
                began_ms=began_ms,
            )
            outcome = await perform(stage, steps, connection.receive)
        finally:
            account.running -= 1
            simulator.records.end(record, *outcome)

    def _record(self, connection: Connection, question: Question, dials: Dials) -> CallRecord:
        digest, headers = prompt_digest(question), connection.headers
        counted = self._simulator.repeat(f"{question.model}/{digest}") if dials.ordinal is None else dials.ordinal
        return CallRecord(
            id=self._simulator.call_id(self._language.id_prefix),
            model=question.model,
            protocol=self._language.name,
            prompt_digest=digest,
            seed=dials.seed,
            ordinal=counted,
            began_at_ms=now_exact_ms(),
            stream=question.stream,
            tokens_in=(len(question.system) + len(question.user)) // CHARACTERS_A_TOKEN,
            document=headers.get("x-scriptorium-document", ""),
            cell=headers.get("x-scriptorium-cell", ""),
            attempt=headers.get("x-scriptorium-attempt", ""),
            call=headers.get("x-scriptorium-call", ""),
        )

    async def _steps(self, record: CallRecord, question: Question, dials: Dials) -> Iterator[AnyStep]:
        """What happens in this call; the vice is written down before it strikes."""
        wording = f"{dials.seed}/{record.ordinal}" if dials.variety else f"{dials.seed}"
        call = Call(
            seed=dials.seed,
            key=f"{record.prompt_digest}/{record.ordinal}",
            dials=dials,
            text=await self._simulator.text_for(question, record.prompt_digest, wording),
            structured=question.schema is not None,
            tokens_max=question.tokens_max,
        )
        record.vice = vice_of(call)
        return schedule(call)


def prompt_digest(question: Question) -> str:
    """SHA-256, hexadecimal, of all that the answer depends on."""
    said = msgspec.json.encode((question.system, question.user, question.schema), order="deterministic")
    return hashlib.sha256(said).hexdigest()


def _over_limit(dials: Dials, wait_ms: float) -> Iterator[AnyStep]:
    # Whole seconds, rounded up: who comes back at that time finds room.
    yield Rejected(0.0, 429, dials.limit_retry_after, -(-wait_ms // 1_000), LIMIT_MESSAGE)


def _recalled(kept: OrderedDict[str, Kept], key: str, make: type[Kept], most: int) -> Kept:
    value = kept.pop(key, None)
    kept[key] = value = make() if value is None else value
    while len(kept) > most:
        kept.popitem(last=False)
    return value


async def _body_of(receive: Receive) -> bytes:
    """Read the whole body. Raises TooLargeError, and ConnectionResetError when the client has gone."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            message = f"the body is larger than {BODY_BYTES_MAX} bytes"
            raise TooLargeError(message)
    return bytes(body)
