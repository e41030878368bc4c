"""Exercise 4: choose the structure for pending, active and completed work."""
