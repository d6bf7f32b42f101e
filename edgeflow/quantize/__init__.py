"""Quantization with NNCF: post-training, then quantization-aware with distillation."""
