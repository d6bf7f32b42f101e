"""The validation gate: the device answers of every test image against the interpreter."""
