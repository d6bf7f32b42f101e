"""A project with what running it needs to know, as files of a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.hls.block import HlsNetwork
from edgeflow.targets.schema import HlsCompiler

_DOCUMENT = "edgeflow.json"


@dataclass(frozen=True, eq=False)
class HlsProject:
    """Files by their paths in the project's folder.

    It takes `given_bytes` signed bytes; its `answer_values` are the graph's less `answer_zero`.
    `constant_bits` are those of all weights, scales and biases.
    """

    files: Mapping[str, bytes]
    compiler: HlsCompiler
    given_bytes: int
    answer_values: int
    answer_zero: int
    constant_bits: int


def project_of(
    files: Mapping[str, bytes], network: HlsNetwork, compiler: HlsCompiler
) -> HlsProject:
    """The project of a network."""
    return HlsProject(
        files,
        compiler,
        _size(network.given.shape),
        _size(network.answer.shape),
        network.answer.zero,
        sum(block.constant_bits for block in network.blocks),
    )


def _size(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def folder_files(project: HlsProject) -> dict[str, bytes]:
    """Everything by its path; `read_project` gives it back."""
    document = {
        "compiler": project.compiler,
        "given_bytes": project.given_bytes,
        "answer_values": project.answer_values,
        "answer_zero": project.answer_zero,
        "constant_bits": project.constant_bits,
    }
    return {**project.files, _DOCUMENT: (json.dumps(document, indent=2) + "\n").encode()}


def read_project(files: Mapping[str, bytes]) -> HlsProject:
    """The project in the files of a folder. Raises KeyError or ValueError."""
    document = json.loads(files[_DOCUMENT])
    own = {path: content for path, content in files.items() if path != _DOCUMENT}
    return HlsProject(
        own,
        HlsCompiler(document["compiler"]),
        int(document["given_bytes"]),
        int(document["answer_values"]),
        int(document["answer_zero"]),
        int(document["constant_bits"]),
    )
