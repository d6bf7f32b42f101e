"""Engines on this machine, side by side."""
