"""Data sources, their one split by seed, and the front-ends a device must repeat."""
