"""Devices: where an artifact runs and what was counted there."""
