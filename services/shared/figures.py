"""What the settings say to an estimate."""

from __future__ import annotations

from schemas.estimates import Figures
from services.shared.settings import Settings


def figures_of(settings: Settings) -> Figures:
    """Models, prices and places of the settings, which are resolved."""
    return Figures(
        models=settings.models.write,
        prices={name: (price.input, price.output) for name, price in settings.prices.items()},
        passages_max=settings.limits.passages_max,
        parallel=settings.writer.slots,
    )
