"""Our kernels on a GPU against PyTorch's on the same one."""
