"""A small typed client of the HTTP face: create, watch, stop, export."""
