"""Which provider a name such as `local/small` means, and what it costs: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from services.shared.models.requests import Provider

TOKENS_PER_PRICE: Final = 1_000_000


class UnknownModelError(LookupError):
    """A model name that no configured provider answers to; its text says what to do about it."""


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens."""

    input: float = 0.0
    output: float = 0.0


class Registry(msgspec.Struct, frozen=True):
    """Providers by name, prices by `provider/model`."""

    providers: Mapping[str, Provider]
    prices: Mapping[str, Price] = {}

    def resolve(self, name: str) -> tuple[Provider, str]:
        """The provider, and the model by the provider's own name (which may have slashes). UnknownModelError."""
        provider, slash, model = name.partition("/")
        known = ", ".join(sorted(self.providers)) or "none"
        if not (provider and slash and model):
            msg = f"a model is named provider/model, not {name!r}; providers: {known}"
            raise UnknownModelError(msg)
        found = self.providers.get(provider)
        if found is None:
            msg = f"no provider is called {provider!r} (of {name!r}); providers: {known}"
            raise UnknownModelError(msg)
        return found, model

    def price(self, name: str) -> Price:
        """What `provider/model` costs; nothing, if no price is configured."""
        return self.prices.get(name, Price())

    def cost(self, name: str, tokens_in: int, tokens_out: int) -> float:
        """US dollars for one call."""
        price = self.price(name)
        return (price.input * tokens_in + price.output * tokens_out) / TOKENS_PER_PRICE
