"""Measurements of edgeflow's artifacts, and the commands that make the profiles it ships."""
