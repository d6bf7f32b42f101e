"""Lowering of a fake-quantized torch network to the integer graph."""
