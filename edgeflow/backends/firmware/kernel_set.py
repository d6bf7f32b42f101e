"""The seam between the code generator and the operators' implementations: one kernel set per ISA.

A kernel set says how each operator becomes calls of C functions, which files hold those
functions and what they need. The generator knows nothing else about kernels; adding an ISA is
adding an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from types import MappingProxyType

from edgeflow.backends.firmware import dsp_c, grouped, mve_c, neon_c, portable_c, x86_c
from edgeflow.backends.firmware.rendering import Renderer
from edgeflow.errors import UnknownNameError
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.targets.schema import KernelSet


def _no_scratch(graph: Graph, node: Node) -> int:
    return 0


def _small_set_up(graph: Graph, node: Node) -> int:
    return 100


def _no_overlap(graph: Graph, node: Node) -> int | None:
    return None


@dataclass(frozen=True)
class KernelLibrary:
    """One kernel set: `folders` below `kernels/` hold its C and assembler files.

    `scratch_bytes(graph, node)` is the working memory that a node's kernel wants in the arena.
    `overlap_bytes(graph, node)` says how many bytes before its first input the output of a kernel
    must start to overwrite that input safely, a multiple of the alignment; None: it never may.

    Places in the arena are multiples of `alignment_bytes`, constants of `constant_alignment_bytes`.

    Two estimates tell what it costs to run layers row by row: `set_up_instructions(graph, node)`,
    what a call costs beside its rows, so that many calls for few rows each cost more; and
    `instructions_per_mac`, to compare that with.
    """

    name: KernelSet
    folders: tuple[str, ...]
    renderers: Mapping[OpKind, Renderer]
    scratch_bytes: Callable[[Graph, Node], int] = _no_scratch
    overlap_bytes: Callable[[Graph, Node], int | None] = _no_overlap
    alignment_bytes: int = 4
    constant_alignment_bytes: int = 1
    set_up_instructions: Callable[[Graph, Node], int] = _small_set_up
    instructions_per_mac: float = 8.0

    def source(self, file_name: str) -> str:
        """The text of one of its sources or headers, from the first folder that has it."""
        kernels = files("edgeflow.backends.firmware") / "kernels"
        paths = [kernels / folder / file_name for folder in self.folders]
        found = next((path for path in paths if path.is_file()), paths[-1])
        return found.read_text(encoding="utf-8")


def _with_groups(kernels: KernelLibrary) -> KernelLibrary:
    """A kernel set whose CONV_2D knows no groups, and runs them one after the other."""
    convolution = grouped.renderer(kernels.renderers[OpKind.CONV_2D], kernels.scratch_bytes)
    return replace(
        kernels,
        renderers=MappingProxyType({**kernels.renderers, OpKind.CONV_2D: convolution}),
        scratch_bytes=grouped.scratch_bytes(kernels.scratch_bytes),
        overlap_bytes=grouped.overlap_bytes(kernels.overlap_bytes),
        set_up_instructions=grouped.set_up_instructions(kernels.set_up_instructions),
    )


_KERNEL_SETS = (
    KernelLibrary(
        name=KernelSet.PORTABLE_C,
        folders=("portable_c",),
        renderers=portable_c.RENDERERS,
        scratch_bytes=portable_c.scratch_bytes,
        overlap_bytes=portable_c.overlap_bytes,
    ),
    KernelLibrary(
        name=KernelSet.DSP_C,
        folders=("dsp_c", "portable_c"),
        renderers=dsp_c.RENDERERS,
        scratch_bytes=dsp_c.scratch_bytes,
        overlap_bytes=dsp_c.overlap_bytes,
        set_up_instructions=dsp_c.set_up_instructions,
        instructions_per_mac=1.0,
    ),
    KernelLibrary(
        name=KernelSet.MVE_C,
        folders=("mve_c", "dsp_c", "portable_c"),
        renderers=mve_c.RENDERERS,
        scratch_bytes=mve_c.scratch_bytes,
        overlap_bytes=mve_c.overlap_bytes,
        set_up_instructions=mve_c.set_up_instructions,
        instructions_per_mac=0.2,
    ),
    KernelLibrary(
        name=KernelSet.X86_C,
        folders=("x86_c", "wide_c", "portable_c"),
        renderers=x86_c.RENDERERS,
        scratch_bytes=x86_c.scratch_bytes,
        alignment_bytes=64,
        constant_alignment_bytes=64,
        instructions_per_mac=0.05,
    ),
    KernelLibrary(
        name=KernelSet.NEON_C,
        folders=("neon_c", "wide_c", "portable_c"),
        renderers=neon_c.RENDERERS,
        scratch_bytes=neon_c.scratch_bytes,
        alignment_bytes=16,
        constant_alignment_bytes=16,
        instructions_per_mac=0.2,
    ),
)

LIBRARIES: Mapping[KernelSet, KernelLibrary] = MappingProxyType(
    {kernels.name: _with_groups(kernels) for kernels in _KERNEL_SETS}
)


def library(kernel_set: KernelSet) -> KernelLibrary:
    """The implementation of a kernel set.

    Raises:
        UnknownNameError: this version has no kernels of that name.
    """
    if kernel_set not in LIBRARIES:
        raise UnknownNameError(
            f"there are no kernels for the kernel set '{kernel_set}'",
            hint=f"Known kernel sets: {', '.join(LIBRARIES)}.",
        )
    return LIBRARIES[kernel_set]
