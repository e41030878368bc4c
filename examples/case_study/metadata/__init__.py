"""Exercise 1: add metadata to an endpoint."""
