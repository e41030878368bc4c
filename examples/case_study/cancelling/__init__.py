"""Exercise 3: cancel when the tab closes."""
