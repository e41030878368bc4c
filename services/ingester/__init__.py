"""Sources to passages: the text of what a reader gave, cut where it can be cited."""
