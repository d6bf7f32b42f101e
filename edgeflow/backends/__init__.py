"""Backends: from the integer graph to what a device runs."""
