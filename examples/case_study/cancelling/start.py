"""The reader closes the tab, and the application goes on calling the model. It is the solution of the exercise before, as it is."""

from __future__ import annotations

from examples.case_study.streaming.solution import application

__all__ = ["application"]
