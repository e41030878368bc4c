"""Recorded logs and what they fold to, for Python and TypeScript alike."""
