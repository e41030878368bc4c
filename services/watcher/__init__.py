"""Follows folders and addresses, and keeps the sources of documents what is there."""
