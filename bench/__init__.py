"""How fast, how many, against whom. Prints tables; asserts nothing. See docs/benchmarks.md."""
