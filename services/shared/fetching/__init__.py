"""Bytes from the web, for whoever asked, without letting them reach what only this machine can reach."""
