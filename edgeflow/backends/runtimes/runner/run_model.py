#!/usr/bin/env python3
"""Runs the model with its engine, for its answers or for its times.

    run_model.py about ABOUT
    run_model.py answers INPUTS OUTPUTS
    run_model.py times INPUTS TIMES WARM_UP REPETITIONS

INPUTS holds rows of int8 values on the grid that model.json names, OUTPUTS gets a row of int8
values for each. TIMES gets nanoseconds as 64-bit integers, one for each repetition: of the engine
alone, with the input already in its place. ABOUT gets the engine's version and the memory that this
process took at its peak, as JSON. One thread. Needs Python 3.6, numpy and the engine.
"""

import json
import os
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FAILED = 3


class LiteRT:
    """LiteRT, by any of the names of its package."""

    def __init__(self, path):
        self.version, interpreter = self._load()
        self._interpreter = interpreter(model_path=path, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self.invoke = self._interpreter.invoke

    @staticmethod
    def _load():
        try:
            from ai_edge_litert.interpreter import Interpreter

            return "ai-edge-litert " + _version("ai-edge-litert"), Interpreter
        except ImportError:
            import tflite_runtime
            from tflite_runtime.interpreter import Interpreter

            return "tflite-runtime " + tflite_runtime.__version__, Interpreter

    def give(self, values):
        self._interpreter.set_tensor(self._input, values)

    def take(self):
        return self._interpreter.get_tensor(self._output)


class OnnxRuntime:
    """ONNX Runtime on the CPU."""

    def __init__(self, path):
        import onnxruntime

        self.version = "onnxruntime " + onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # On processors without dot products of int8 its faster kernels saturate sums of pairs.
        options.add_session_config_entry("session.x64quantprecision", "1")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        self._name = self._session.get_inputs()[0].name
        self._feeds = {}
        self._answer = None

    def give(self, values):
        self._feeds = {self._name: values}

    def invoke(self):
        self._answer = self._session.run(None, self._feeds)

    def take(self):
        return self._answer[0]


class Tvm:
    """A function that Apache TVM compiled; the first of its libraries that the processor runs."""

    def __init__(self, path):
        os.environ.setdefault("TVM_NUM_THREADS", "1")
        import tvm

        self.version = "apache-tvm " + tvm.__version__
        with open(path) as stream:
            described = json.load(stream)
        library = next(
            each for each in described["libraries"] if set(each["features"]) <= self._features()
        )
        folder = os.path.dirname(path)
        module = tvm.runtime.load_module(os.path.join(folder, library["code"]))
        with np.load(os.path.join(folder, library["constants"])) as arrays:
            constants = [tvm.runtime.tensor(arrays[name]) for name in arrays.files]
        self._tensor, self._function = tvm.runtime.tensor, module[described["function"]]
        self._constants, self._given = constants, None
        shape = described["output_shape"]
        self._answer = tvm.runtime.tensor(np.zeros(shape[1:], np.float32))

    @staticmethod
    def _features():
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                if line.startswith(("flags", "Features")):
                    return set(line.split(":")[1].split())
        return set()

    def give(self, values):
        values = values.reshape(values.shape[1:])
        if self._given is None:
            self._given = self._tensor(values)
        else:
            self._given.copyfrom(values)

    def invoke(self):
        self._function(self._given, *self._constants, self._answer)

    def take(self):
        return self._answer.numpy()[None]


ENGINES = {"litert": LiteRT, "onnxruntime": OnnxRuntime, "tvm": Tvm}


def _version(package):
    try:
        from importlib.metadata import version

        return version(package)
    except Exception:
        return "of unknown version"


class Model:
    """The model as model.json describes it: int8 rows in, int8 rows out."""

    def __init__(self):
        with open(os.path.join(HERE, "model.json")) as stream:
            described = json.load(stream)
        self.given, self.got = described["input"], described["output"]
        self.engine = ENGINES[described["engine"]](os.path.join(HERE, described["file"]))

    def rows(self, path):
        """Rows of int8 values."""
        size = int(np.prod(self.given["shape"]))
        rows = np.fromfile(path, dtype=np.int8).reshape(-1, size)
        if len(rows) == 0:
            raise ValueError("no input in " + path)
        return rows

    def give(self, row):
        """Put a row where the engine reads it."""
        values = row.reshape(self.given["shape"])
        if self.given["type"] != "int8":
            values = (values.astype(np.float32) - self.given["zero_point"]) * np.float32(
                self.given["scale"]
            )
        self.engine.give(np.ascontiguousarray(self._moved(values, self.given["order"])))

    def take(self):
        """The answer to it, int8 [values]."""
        values = self._moved(self.engine.take(), self.got["order"])
        if self.got["type"] != "int8":
            steps = values.astype(np.float64) / self.got["scale"]
            rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
            values = np.clip(rounded + self.got["zero_point"], -128, 127)
        return values.astype(np.int8).reshape(-1)

    @staticmethod
    def _moved(values, order):
        return values if order is None else values.transpose(order)


def about(path):
    """Engine and memory."""
    model = Model()
    model.give(np.zeros(int(np.prod(model.given["shape"])), np.int8))
    model.engine.invoke()
    with open(path, "w") as stream:
        json.dump({"version": model.engine.version, "memory_bytes": peak_bytes()}, stream)


def peak_bytes():
    """The most memory that this process had; getrusage would count the one that started it."""
    with open("/proc/self/status") as stream:
        for line in stream:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def answers(inputs, outputs):
    """Every input's answer."""
    model = Model()
    with open(outputs, "wb") as stream:
        for row in model.rows(inputs):
            model.give(row)
            model.engine.invoke()
            stream.write(model.take().tobytes())


def times(inputs, path, warm_up, repetitions):
    """Nanoseconds of every repetition; inputs take turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clock = getattr(time, "perf_counter_ns", lambda: int(time.perf_counter() * 1e9))
    model = Model()
    rows = model.rows(inputs)
    found = np.zeros(int(repetitions), np.uint64)
    for number in range(-int(warm_up), int(repetitions)):
        model.give(rows[number % len(rows)])
        begin = clock()
        model.engine.invoke()
        end = clock()
        if number >= 0:
            found[number] = end - begin
    found.tofile(path)


COMMANDS = {"about": about, "answers": answers, "times": times}


def main(words):
    """Obey."""
    if not words or words[0] not in COMMANDS:
        raise SystemExit(__doc__)
    try:
        COMMANDS[words[0]](*words[1:])
    except Exception as error:
        sys.stderr.write("%s: %s\n" % (type(error).__name__, str(error).split("\n")[0]))
        raise SystemExit(FAILED) from error


if __name__ == "__main__":
    main(sys.argv[1:])
