"""The I/O that every service shares: the bus, the log, sources, settings, the clock, calls to models."""
