"""Cells, networks made of them, and the networks a user brings."""
