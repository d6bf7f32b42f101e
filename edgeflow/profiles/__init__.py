"""Profiles: what operators cost on a device, as versioned data."""
