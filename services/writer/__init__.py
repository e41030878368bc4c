"""Writes cells: pulls jobs, asks models, streams what they say, checks what they cite."""
