"""One engine in a process of its own: python -m benchmarks.linux.worker ENGINE MODEL.

First it prints nanoseconds from the model's file to the first result, with the package imported
before; then, for every number that it reads, the median nanoseconds of so many inferences, on one
thread, pinned to one processor.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np

Invoke = Callable[[], object]


def _litert(path: Path) -> Invoke:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    values = np.random.default_rng(0).integers(-128, 128, details["shape"], dtype=np.int8)
    interpreter.set_tensor(details["index"], values)
    invoke: Invoke = interpreter.invoke
    return invoke


def _onnxruntime(path: Path) -> Invoke:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    shape = [1 if isinstance(size, str) else size for size in given.shape]
    values = np.random.default_rng(0).integers(-128, 128, shape).astype(np.float32) / 32
    feeds = {given.name: values}
    return lambda: session.run(None, feeds)


PACKAGES = {"litert": "ai_edge_litert.interpreter", "onnxruntime": "onnxruntime"}
ENGINES: Mapping[str, Callable[[Path], Invoke]] = {"litert": _litert, "onnxruntime": _onnxruntime}


def main(engine: str, model: str) -> None:
    """Load, tell the time of it, and answer."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import_module(PACKAGES[engine])
    start = time.perf_counter_ns()
    invoke = ENGINES[engine](Path(model))
    invoke()
    print(time.perf_counter_ns() - start, flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter_ns()
            invoke()
            times.append(time.perf_counter_ns() - begin)
        print(int(median(times)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
