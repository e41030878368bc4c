"""A child that ends with its parent, even when the parent is killed and can tell nobody (Linux: prctl(2))."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Looked up at import: between fork and exec as little as possible should happen.
_prctl: Callable[[int, int], int] | None = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with(parent: int) -> None:
    """SIGKILL this process when the thread that made it ends. Elsewhere than on Linux it does nothing."""
    if _prctl is None:
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It had died before we asked.
        os.kill(os.getpid(), signal.SIGKILL)
