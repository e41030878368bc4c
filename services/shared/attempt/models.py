"""The models that a process may ask: their clients, and the gatekeeper before them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from services.shared.health.keeper import Gatekeeper
from services.shared.health.policy import Policy
from services.shared.models.client import Call, CallLimits, ModelClient
from services.shared.models.registry import Price, Registry
from services.shared.models.requests import ChatRequest, Provider, Secret
from services.shared.settings import HealthSettings, LimitSettings, ProviderSettings, Settings


def registry_of(settings: Settings) -> Registry:
    """Providers, their keys and prices, from resolved settings."""
    return Registry(
        providers={name: _provider(name, given) for name, given in settings.providers.items()},
        prices={name: Price(price.input, price.output) for name, price in settings.prices.items()},
    )


def _provider(name: str, given: ProviderSettings) -> Provider:
    key = os.environ.get(given.api_key_env, "") if given.api_key_env else ""
    return Provider(
        name=name,
        protocol=given.protocol,
        base_url=given.base_url,
        api_key=Secret(key) if key else None,
        max_concurrent=given.max_concurrent,
        send_ids=given.send_ids,
    )


class Models:
    """Clients by provider, and whoever shares out their places."""

    def __init__(self, registry: Registry, limits: LimitSettings, health: HealthSettings | None = None) -> None:
        self.registry = registry
        self.limits = limits
        self.keeper = Gatekeeper(
            policy_of(health or HealthSettings()),
            {
                name: provider.max_concurrent
                for name, provider in registry.providers.items()
                if provider.max_concurrent is not None
            },
        )
        self._clients = {
            name: ModelClient(provider, connect_ms=limits.connect_ms) for name, provider in registry.providers.items()
        }

    def call(self, model: str, request: ChatRequest, left_ms: int) -> Call:
        """A call to begin, of which `request.model` is filled in. UnknownModelError."""
        provider, name = self.registry.resolve(model)
        limits = CallLimits(
            first_token_ms=self.limits.first_token_ms,
            between_tokens_ms=self.limits.between_tokens_ms,
            deadline_ms=max(left_ms, 1),
        )
        asked = ChatRequest(
            model=name,
            messages=request.messages,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            response_schema=request.response_schema,
            ids=request.ids,
        )
        return self._clients[provider.name].stream(asked, limits)

    async def close(self) -> None:
        """Close what is kept open."""
        self.keeper.close()
        for client in self._clients.values():
            await client.aclose()


def chain_of(policy_model: str | None, configured: Sequence[str]) -> tuple[str, ...]:
    """The document's own choice first, then what is configured."""
    first = () if policy_model is None else (policy_model,)
    return (*first, *(model for model in configured if model != policy_model))


def policy_of(health: HealthSettings) -> Policy:
    """What is configured, and the rest as it is."""
    return Policy(
        limit_first=min(health.concurrent_first, health.concurrent_max),
        limit_max=health.concurrent_max,
        retry_share=health.retry_share,
        hedge_share=health.hedge_share,
        open_ms=health.open_ms,
        open_ms_max=max(health.open_ms_max, health.open_ms),
    )
