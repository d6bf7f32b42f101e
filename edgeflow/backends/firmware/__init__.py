"""The firmware backend: readable C99, a static arena, one function per layer."""
