"""Calls to language models. Only this package knows a provider: its addresses, its protocols, its ways of failing."""
