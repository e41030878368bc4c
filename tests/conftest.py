"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# No test depends on how fast its machine is.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
