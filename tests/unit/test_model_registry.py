from __future__ import annotations

import pytest

from services.shared.models.registry import Price, Registry, UnknownModelError
from services.shared.models.requests import Provider

LOCAL = Provider(name="local", base_url="http://127.0.0.1:11434/v1")
REGISTRY = Registry({"local": LOCAL}, {"local/org/small": Price(0.5, 2.0)})


def test_a_name_is_split_at_its_first_slash() -> None:
    assert REGISTRY.resolve("local/org/small") == (LOCAL, "org/small")


@pytest.mark.parametrize("name", ["small", "/small", "local/", "", "elsewhere/small"])
def test_a_name_nobody_answers_to_is_refused_and_says_who_would(name: str) -> None:
    with pytest.raises(UnknownModelError, match="providers: local"):
        REGISTRY.resolve(name)


def test_cost_is_by_the_million_and_nothing_where_no_price_is_known() -> None:
    assert REGISTRY.cost("local/org/small", 1_000_000, 500_000) == pytest.approx(1.5)
    assert REGISTRY.cost("local/other", 1_000_000, 500_000) == 0


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        Provider(name="bad", base_url="localhost:1")
