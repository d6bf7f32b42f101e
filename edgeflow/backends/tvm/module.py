"""From an integer graph to a shared library by TVM: one float32 function for the whole network.

`edgeflow_model(input, constants..., output)`. Constants lie beside the library as arrays, packed
for the tiles of its schedule.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.backends.tvm.computes import FLOAT, Network, add, inner_shape
from edgeflow.backends.tvm.schedules import schedule
from edgeflow.backends.tvm.vectors import AVX2, AVX512, Vectors, neon
from edgeflow.errors import MissingToolError, ToolFailedError
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import InstructionSet, Target

FUNCTION = "edgeflow_model"
_OBJECT = "model.o"


@dataclass(frozen=True, eq=False)
class Library:
    """A shared library that TVM's runtime loads, and its constants (.npz, in order).

    It needs a processor with all `features`, as Linux names them.
    """

    name: str
    features: tuple[str, ...]
    code: bytes
    constants: bytes


def libraries(graph: Graph, target: Target) -> tuple[Library, ...]:
    """One for every vector unit that the target's processors may have, the widest first.

    Raises MissingToolError without TVM, UnsupportedOperatorError for what it is not taught.
    """
    if target.core.instruction_set is InstructionSet.X86_64:
        wide = ("avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd")
        return (
            _library(graph, target, AVX512, "avx512", wide),
            _library(graph, target, AVX2, "avx2", ()),
        )
    cpu = target.toolchain.cpu.replace("_", "-").removesuffix("-crypto")
    return (_library(graph, target, neon(cpu), "neon", ()),)


def lowered(graph: Graph, vectors: Vectors) -> tuple[Any, tuple[np.ndarray[Any, Any], ...]]:
    """The scheduled module with its one function, and the constants that it takes."""
    te, tvm = tvm_modules()
    network = Network(graph, vectors)
    (source,), (result,) = graph.inputs, graph.outputs
    given = te.placeholder(inner_shape(graph.tensors[source].shape), FLOAT, name="given")
    network.values[source] = given
    for number, node in enumerate(graph.nodes):
        add(network, node, f"layer{number:02d}")
    placeholders = [placeholder for placeholder, _ in network.constants]
    function = te.create_prim_func([given, *placeholders, network.values[result]])
    module = schedule(network, tvm.IRModule({"main": function}))
    named = module["main"].with_attr("global_symbol", FUNCTION)
    return tvm.IRModule({FUNCTION: named}), tuple(array for _, array in network.constants)


def tvm_modules() -> tuple[Any, Any]:
    """`tvm.te` and `tvm`. Raises MissingToolError where it is not installed."""
    try:
        import tvm
        from tvm import te
    except ImportError as error:
        raise MissingToolError(
            "Apache TVM is not installed.", hint="Install it: pip install 'edgeflow[tvm]'."
        ) from error
    return te, tvm


def _library(
    graph: Graph, target: Target, vectors: Vectors, name: str, features: tuple[str, ...]
) -> Library:
    module, arrays = lowered(graph, vectors)
    stream = io.BytesIO()
    np.savez(stream, *arrays)
    return Library(name, features, _linked(module, target, vectors), stream.getvalue())


def _linked(module: Any, target: Target, vectors: Vectors) -> bytes:
    """Machine code for the target's system, as a shared library without a C library of its own."""
    _, tvm = tvm_modules()
    triple = target.toolchain.triple
    system, _, _ = triple.rpartition("-")
    described = {
        "kind": "llvm",
        "mtriple": f"{system}-gnu",
        "mcpu": vectors.mcpu,
        "num-cores": 1,
    }
    with tempfile.TemporaryDirectory(prefix="edgeflow-tvm-") as folder:
        directory = Path(folder)
        built = tvm.tirx.build(module, target=tvm.target.Target(described))
        built.write_to_file(str(directory / _OBJECT), "obj")
        flags = ["-target", triple, "-shared", "-fPIC", "-Wl,-s", "-Wl,--build-id=none"]
        try:
            run_compiler([*flags, _OBJECT, "-o", "model.so"], directory)
        except CompilerError as error:
            raise ToolFailedError(
                f"Linking the library of TVM for {target.name} failed:\n{error.output}",
                hint="Report this as a defect, unless the target file was edited.",
            ) from error
        return (directory / "model.so").read_bytes()
