"""Search: every cell's operator, width and weight bits together, by an integer program."""
