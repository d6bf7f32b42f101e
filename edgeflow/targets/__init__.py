"""Targets: what a device is and what it allows, as versioned data."""
