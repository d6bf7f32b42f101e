"""Torch settings under which equal inputs give bit-identical results on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(
    seed: int, threads: int, device: torch.device | None = None
) -> Iterator[torch.Generator]:
    """Fixed thread count, deterministic algorithms, seeded generators; all restored afterwards.

    Gives a generator of its own for sampling, so that nothing a network draws (dropout) shifts the
    order of the batches. `device` is the one that trains, where that is not the CPU.
    """
    forked = [torch.cuda.current_device()] if device is not None and device.type == "cuda" else []
    old_threads = torch.get_num_threads()
    old_deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=forked):
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(seed)
        try:
            yield torch.Generator().manual_seed(seed)
        finally:
            torch.set_num_threads(old_threads)
            torch.use_deterministic_algorithms(old_deterministic)
