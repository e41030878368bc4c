"""Exercise 2: make a synchronous endpoint stream."""
