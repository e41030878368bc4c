"""The models that are here, over HTTP: which are configured, which were found at their providers, and whether one answers.

No key leaves the server: of each provider it is said where its key would be, and whether there is one.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.requests import ModelAsked, ModelKnown, ModelPrice, ModelsKnown, ModelTried, ProviderKnown
from services.gateway.problems import FieldError, Problem, decoded
from services.shared.attempt.models import registry_of
from services.shared.clock import monotonic_ms
from services.shared.models.client import CallLimits, ModelClient
from services.shared.models.events import Finished, Text, Trouble
from services.shared.models.registry import Registry, UnknownModelError
from services.shared.models.requests import CallIds, ChatRequest, Message
from services.shared.settings import Settings

JSON = "application/json"
BODY_BYTES_MAX = 4_096
FOUND_MAX = 200
"""Models listed of one provider; some list thousands."""
TRY_LIMITS = CallLimits(first_token_ms=20_000, between_tokens_ms=10_000, deadline_ms=30_000)
TRY_TOKENS_MAX = 64
SAID_CHARACTERS_MAX = 200
TRY_IDS = CallIds(document="", cell="try", attempt=0)
QUESTION = "Answer with the one word: ready."


class ModelsFace:
    """The handlers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry: Registry = registry_of(settings)
        self._trying = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/api/models", self.known, methods=["GET"]),
            Route("/api/models/try", self.tried, methods=["POST"]),
        ]

    async def known(self, _request: Request) -> Response:
        """Providers, models, prices, limits. Providers are asked at once; one that does not answer costs the others nothing."""
        providers = list(self._registry.providers)
        listed = await asyncio.gather(*(self._listed(name) for name in providers))
        answer = ModelsKnown(
            providers=tuple(self._provider(name, found) for name, found in zip(providers, listed, strict=True)),
            models=tuple(self._models(dict(zip(providers, listed, strict=True)))),
            limits=self._settings.limits.model_dump(),
        )
        return Response(msgspec.json.encode(answer), media_type=JSON, headers={"Cache-Control": "no-store"})

    async def tried(self, request: Request) -> Response:
        """Ask one model for one word. Not more than one at a time: it costs money."""
        wanted = decoded(await _body(request), ModelAsked).model
        try:
            provider, name = self._registry.resolve(wanted)
        except UnknownModelError as error:
            raise Problem(422, f"/model: {error}", [FieldError("/model", str(error))]) from None
        if self._trying.locked():
            raise Problem(429, "A model is being tried already.")
        async with self._trying, ModelClient(provider) as client:
            asked = ChatRequest(
                model=name, messages=(Message("user", QUESTION),), max_tokens=TRY_TOKENS_MAX, ids=TRY_IDS
            )
            return Response(msgspec.json.encode(await _outcome(client, asked)), media_type=JSON)

    async def _listed(self, provider: str) -> tuple[str, ...] | Trouble:
        async with ModelClient(self._registry.providers[provider]) as client:
            return await client.list_models()

    def _provider(self, name: str, found: tuple[str, ...] | Trouble) -> ProviderKnown:
        given = self._settings.providers[name]
        return ProviderKnown(
            name=name,
            protocol=given.protocol,
            key_env=given.api_key_env,
            has_key=self._registry.providers[name].api_key is not None,
            max_concurrent=given.max_concurrent,
            trouble=found.message if isinstance(found, Trouble) else "",
        )

    def _models(self, listed: dict[str, tuple[str, ...] | Trouble]) -> list[ModelKnown]:
        """What is configured first, in the order in which it is asked."""
        uses: dict[str, list[str]] = {}
        for use, chain in (("write", self._settings.models.write), ("plan", self._settings.models.plan)):
            for place, name in enumerate(chain, 1):
                uses.setdefault(name, []).append(f"{use} {place}")
        for provider, found in listed.items():
            for name in () if isinstance(found, Trouble) else found[:FOUND_MAX]:
                uses.setdefault(f"{provider}/{name}", [])
        return [
            ModelKnown(name=name, provider=name.partition("/")[0], uses=tuple(for_), price=self._price(name))
            for name, for_ in uses.items()
        ]

    def _price(self, name: str) -> ModelPrice | None:
        price = self._settings.prices.get(name)
        return None if price is None else ModelPrice(input=price.input, output=price.output)


async def _outcome(client: ModelClient, asked: ChatRequest) -> ModelTried:
    began_ms, said = monotonic_ms(), ""
    async with client.stream(asked, TRY_LIMITS) as call:
        async for event in call:
            match event:
                case Text(text=text):
                    said += text
                case Finished() | Trouble():
                    return ModelTried(
                        ok=isinstance(event, Finished),
                        message=event.message if isinstance(event, Trouble) else "",
                        first_token_ms=call.first_token_ms,
                        duration_ms=round(monotonic_ms() - began_ms),
                        said=said.strip()[:SAID_CHARACTERS_MAX],
                    )
                case _:
                    pass
    raise AssertionError("a call ends with `Finished` or `Trouble`")


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length") or 0) > BODY_BYTES_MAX:
        raise Problem(413, f"At most {BODY_BYTES_MAX} bytes.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, f"At most {BODY_BYTES_MAX} bytes.")
    return body
