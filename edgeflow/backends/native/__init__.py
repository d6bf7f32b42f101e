"""Programs for Linux: the generated C as a library and as a runner that needs nothing else."""
