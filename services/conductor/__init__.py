"""Decides what happens next to a document, and owns nothing: all it knows, it folds from the log."""
