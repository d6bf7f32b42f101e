"""What a bundle gets for a GPU: kernels, weights, the host part in C, and its runner."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files as resource_files
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.backends.gpu.kernels import ALIASES, Kernel, kernels
from edgeflow.backends.gpu.nvrtc import to_ptx
from edgeflow.backends.gpu.program import GpuProgram
from edgeflow.errors import ToolFailedError
from edgeflow.graph.ir import Graph, Quantization
from edgeflow.targets.schema import Target

RUNNER = "edgeflow_gpu_runner"
PTX = "edgeflow_kernels.ptx"
SOURCE = "edgeflow_kernels.cu"
WEIGHTS = "edgeflow_weights.bin"
_NETWORK = "edgeflow_gpu_network.h"
_HOST = ("edgeflow_gpu.h", "edgeflow_gpu.c", "edgeflow_cuda.h", "edgeflow_gpu_runner.c")
_ALIGNMENT = 256


def project_files(graph: Graph, target: Target) -> dict[str, bytes]:
    """Everything by name; nothing where the target has no GPU.

    Values are float16 where the GPU computes with them. Raises MissingToolError without TVM or
    NVRTC, UnsupportedOperatorError for operators that have no kernel.
    """
    if target.gpu is None:
        return {}
    half = target.gpu.fp16
    found = kernels(graph, half=half, threads=target.gpu.threads)
    source = source_text(found)
    text = network_header(graph, found, 2 if half else 4)
    host = {name: _host_text(name) for name in _HOST}
    return {
        **{name: content.encode() for name, content in host.items()},
        _NETWORK: text.encode(),
        SOURCE: source.encode(),
        PTX: to_ptx(source, target.gpu.architecture, target.gpu.ptx_version).encode(),
        WEIGHTS: weights(found),
        RUNNER: _runner({**host, _NETWORK: text}, target),
    }


def gpu_program(files: Mapping[str, bytes], graph: Graph) -> GpuProgram:
    """The program in the files of a project."""
    (given,), (got,) = graph.inputs, graph.outputs
    return GpuProgram(
        runner=files[RUNNER],
        companions={name: files[name] for name in (PTX, WEIGHTS)},
        input_bytes=math.prod(graph.tensors[given].shape),
        output_bytes=math.prod(graph.tensors[got].shape),
    )


def source_text(found: Sequence[Kernel]) -> str:
    """All kernels in one text."""
    prelude = (resource_files("edgeflow.backends.gpu") / "prelude.cu").read_text("utf-8")
    return "\n".join([prelude, *(kernel.text for kernel in found)])


def weights(found: Sequence[Kernel]) -> bytes:
    """All constants at their places."""
    content = bytearray()
    for kernel in found:
        for array in kernel.constants.values():
            content += array.tobytes() + bytes(-array.nbytes % _ALIGNMENT)
    return bytes(content)


def network_header(graph: Graph, found: Sequence[Kernel], value_bytes: int) -> str:
    """C of `edgeflow_gpu_network.h`: sizes, places in the GPU's memory, and launches in order."""
    places, end = _constant_places(found), len(weights(found))
    for name in _stored_tensors(graph, found):
        places[name] = end
        end += _aligned(math.prod(graph.tensors[name].shape) * value_bytes)
    places |= {name: places[source] for name, source in _aliases(graph).items()}
    (given,), (got,) = graph.inputs, graph.outputs
    most = max(len(kernel.arguments) for kernel in found)
    macros = {
        "INPUTS": math.prod(graph.tensors[given].shape),
        "OUTPUTS": math.prod(graph.tensors[got].shape),
        "VALUE_BYTES": value_bytes,
        "WEIGHT_BYTES": f"{len(weights(found))}u",
        "MEMORY_BYTES": f"{end}u",
        "INPUT_AT": f"{places[given]}u",
        "OUTPUT_AT": f"{places[got]}u",
        "LAUNCHES": len(found),
        "MOST_ARGUMENTS": most,
        **_grid_macros("INPUT", graph.tensors[given].quantization),
        **_grid_macros("OUTPUT", graph.tensors[got].quantization),
    }
    rows = [
        f'    {{"{kernel.name}", {kernel.blocks}, {kernel.outputs}, {kernel.parts}, '
        f"{len(kernel.arguments)}, "
        f"{{{', '.join(f'{places[name]}u' for name in kernel.arguments)}}}}},"
        for kernel in found
    ]
    defined = "".join(f"#define EDGEFLOW_GPU_{name} {value}\n" for name, value in macros.items())
    return (
        "/* The network on the GPU: sizes, places in its memory, and kernels in order. */\n"
        "#ifndef EDGEFLOW_GPU_NETWORK_H\n#define EDGEFLOW_GPU_NETWORK_H\n\n"
        f"{defined}\n"
        "struct edgeflow_launch {\n    const char *kernel;\n    unsigned blocks, outputs, parts;\n"
        "    unsigned count;\n    unsigned offsets[EDGEFLOW_GPU_MOST_ARGUMENTS];\n};\n\n"
        "static const struct edgeflow_launch edgeflow_launches[EDGEFLOW_GPU_LAUNCHES] = {\n"
        + "\n".join(rows)
        + "\n};\n\n#endif\n"
    )


def _constant_places(found: Sequence[Kernel]) -> dict[str, int]:
    places: dict[str, int] = {}
    end = 0
    for kernel in found:
        for name, array in kernel.constants.items():
            places[name] = end
            end += _aligned(array.nbytes)
    return places


def _stored_tensors(graph: Graph, found: Sequence[Kernel]) -> list[str]:
    """The input, and what kernels write."""
    written = {kernel.node for kernel in found}
    results = [node.outputs[0] for node in graph.nodes if node.name in written]
    return [*graph.inputs, *results]


def _aliases(graph: Graph) -> Mapping[str, str]:
    """Tensors that lie where another one lies."""
    same: dict[str, str] = {}
    for node in graph.nodes:
        if node.kind in ALIASES:
            source = node.inputs[0]
            same[node.outputs[0]] = same.get(source, source)
    return same


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _grid_macros(name: str, grid: Quantization | None) -> dict[str, str]:
    assert grid is not None
    return {
        f"{name}_SCALE": f"{grid.scales[0]!r}f",
        f"{name}_ZERO": f"({grid.zero_points[0]})",
    }


def _runner(sources: Mapping[str, str], target: Target) -> bytes:
    """The host part, linked to the target's C library: only it can load the driver's library."""
    chain = target.toolchain
    machine = ["-target", chain.triple, f"-mcpu={chain.cpu}", "-std=gnu11", "-O2", "-g0"]
    linked = ["-Wl,-s", "-Wl,--build-id=none", "-ldl", "-lm"]
    with tempfile.TemporaryDirectory(prefix="edgeflow-gpu-") as name:
        folder = Path(name)
        for file, text in sources.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        files = [each for each in sources if each.endswith(".c")]
        try:
            run_compiler([*machine, *files, "-o", RUNNER, *linked], folder)
        except CompilerError as error:
            raise ToolFailedError(
                f"Compiling the GPU's host part for {target.name} failed:\n{error.output}",
                hint="Report this as a defect, unless the target file was edited.",
            ) from error
        return (folder / RUNNER).read_bytes()


def _host_text(name: str) -> str:
    return (resource_files("edgeflow.backends.gpu") / "host" / name).read_text("utf-8")
