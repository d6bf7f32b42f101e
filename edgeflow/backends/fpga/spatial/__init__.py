"""The spatial style: every product of a network in logic of its own, an answer every cycle."""
