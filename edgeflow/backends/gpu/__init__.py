"""Networks for NVIDIA GPUs: CUDA kernels by TVM, compiled by NVRTC, and a host part in C."""
