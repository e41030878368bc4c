"""`python -m services.ingester`."""

from __future__ import annotations

from services.ingester.main import main

main()
