"""Training of float networks."""
