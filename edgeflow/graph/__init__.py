"""The integer graph: what every backend implements and the interpreter defines."""
