"""The re-check of a bundle from its own files alone: no data, no run directory, no training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.fpga.folder import Hardware
from edgeflow.backends.hls.artifact import HlsProject
from edgeflow.backends.native.program import NativeProgram
from edgeflow.backends.native.toolchain import require_fitting
from edgeflow.backends.runtimes.program import RuntimeProgram
from edgeflow.bundle import assemble
from edgeflow.bundle.artifact import FIRMWARE_BIN, read_artifact
from edgeflow.bundle.manifest import Manifest, read_bundle
from edgeflow.bundle.stated_scores import compare
from edgeflow.bundle.summary import CheckRow, Summary
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.score import Score, ScoreName
from edgeflow.devices.device import INVOKE_SYMBOL, DeviceRun, LayerInstructions, RunLimits
from edgeflow.errors import BundleError, ConfigError, DoesNotFitError, EdgeflowError, VerdictError
from edgeflow.gate.agreement import agreement, objection
from edgeflow.gate.scoring import Scoring, output_grid, score_answers, scoring_of
from edgeflow.graph.ir import Graph
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.targets.schema import Target, TargetFamily

STAGE = "verify"
_DEVICE_CHECK = {
    TargetFamily.MICROCONTROLLER: "firmware against test/expected.npy",
    TargetFamily.LINUX: "runner against test/expected.npy",
    TargetFamily.FPGA: "simulated design against test/expected.npy",
    TargetFamily.HLS: "emulated project against test/expected.npy",
}
_SYSTEM_CHECK = "library against the target's system"


@dataclass(frozen=True)
class Verification:
    """What the re-check found: one row a check; no scores without labels.

    `instructions` is None where the device does not count.
    """

    bundle: Path
    target: str
    model: str
    images: int
    scores: tuple[Score, ...]
    instructions: float | None
    checks: tuple[CheckRow, ...]

    @property
    def accuracy(self) -> float | None:
        """The accuracy, of a classifier with labels."""
        counted = (score.value for score in self.scores if score.name is ScoreName.ACCURACY)
        return next(counted, None)

    @property
    def passed(self) -> bool:
        """Whether everything is as the bundle says."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, eq=False)
class _Opened:
    manifest: Manifest
    files: Mapping[str, bytes]
    summary: Summary
    target: Target
    graph: Graph
    onnx_graph: Graph
    artifact: FirmwareImage | NativeProgram | RuntimeProgram | Hardware | HlsProject
    inputs: NDArray[np.int8]
    expected: NDArray[np.int8]
    labels: NDArray[Any] | None
    postprocessing: Postprocessing


def verify(directory: Path, progress: Progress = silent, device: str | None = None) -> Verification:
    """Hash every file, run the model and the artifact over every test input, compare all figures.

    `device` is a board that runs the program of a Linux target. Raises BundleError where the bundle
    is damaged, ConfigError for a device that the artifact is not for; a difference is a failed
    check, not an error.
    """
    from edgeflow.graph.interpreter import run_batch

    progress(ProgressEvent(STAGE, "files against the manifest", 0, 3))
    opened = _open(directory)
    images = len(opened.inputs)
    progress(ProgressEvent(STAGE, f"interpreter over {images} inputs", 1, 3))
    answers = run_batch(opened.graph, opened.inputs)
    progress(ProgressEvent(STAGE, f"artifact over {images} inputs", 2, 3))
    run = _run(opened, device)
    scoring = scoring_of(opened.graph, opened.postprocessing, opened.inputs)
    counted = score_answers(run.outputs, opened.labels, scoring)
    checks = (
        CheckRow(
            name="files", passed=True, detail=f"{len(opened.files)} files hash to the manifest"
        ),
        _same_graph(opened),
        *_same_grid(opened),
        *_binary(opened),
        _equal("interpreter against test/expected.npy", opened.expected, answers),
        _answers(opened, run.outputs, counted, scoring),
        *compare(opened.summary, counted, exact=not isinstance(opened.artifact, RuntimeProgram)),
        *([_counts(opened.summary, run)] if run.instructions.size else []),
    )
    progress(ProgressEvent(STAGE, "done", 3, 3))
    return Verification(
        bundle=directory,
        target=opened.target.name,
        model=opened.summary.model,
        images=images,
        scores=counted,
        instructions=float(run.instructions.mean()) if run.instructions.size else None,
        checks=checks,
    )


def require(verification: Verification) -> None:
    """Raise VerdictError naming every check that failed."""
    failed = [check for check in verification.checks if not check.passed]
    if failed:
        raise VerdictError(
            f"{verification.bundle} does not hold what it says: "
            + "; ".join(f"{check.name}: {check.detail}" for check in failed),
            hint="do not deploy it; rebuild it with `edgeflow build`",
        )


def _open(directory: Path) -> _Opened:
    from edgeflow.exchange import onnx_qdq, tflite

    manifest, files = read_bundle(directory)
    try:
        inputs = assemble.load_npy(files[assemble.TEST_INPUTS])
        expected = assemble.load_npy(files[assemble.TEST_EXPECTED])
        labels = _labels(files)
        if not len(inputs) == len(expected) > 0:
            raise ValueError(f"{len(inputs)} inputs and {len(expected)} outputs")
        if labels is not None and len(labels) != len(inputs):
            raise ValueError(f"{len(inputs)} inputs and {len(labels)} labels")
        target = Target.model_validate_json(files[assemble.TARGET])
        return _Opened(
            manifest=manifest,
            files=files,
            summary=Summary.model_validate_json(files[assemble.FIGURES]),
            target=target,
            graph=tflite.read(files[assemble.MODEL_TFLITE]),
            onnx_graph=onnx_qdq.read(files[assemble.MODEL_ONNX]),
            artifact=read_artifact(files, target),
            inputs=inputs,
            expected=expected,
            labels=labels,
            postprocessing=_postprocessing(files),
        )
    except (KeyError, ValueError, ValidationError, EdgeflowError) as error:
        raise BundleError(
            f"the bundle {directory} cannot be used: {error}",
            hint="rebuild it with `edgeflow build`",
        ) from error


def _postprocessing(files: Mapping[str, bytes]) -> Postprocessing:
    """What answers mean; a bundle that does not say it is one of a classifier."""
    content = files.get(assemble.POSTPROCESSING)
    return Postprocessing() if content is None else Postprocessing.model_validate_json(content)


def _labels(files: Mapping[str, bytes]) -> NDArray[Any] | None:
    content = files.get(assemble.TEST_LABELS)
    return None if content is None else assemble.load_npy(content)


def _same_graph(opened: _Opened) -> CheckRow:
    from edgeflow.graph.fingerprint import fingerprint

    name = "model.onnx against model.tflite"
    same = fingerprint(opened.onnx_graph) == fingerprint(opened.graph)
    detail = "the same integer graph" if same else "they hold different integer graphs"
    return CheckRow(name=name, passed=same, detail=detail)


def _same_grid(opened: _Opened) -> tuple[CheckRow, ...]:
    """One check; none where the bundle does not say the scale of its answers."""
    stated, grid = opened.postprocessing.output, output_grid(opened.graph)
    if stated is None:
        return ()
    detail = f"answers are (q - {grid.zero_point}) * {grid.scale:.6g}"
    if stated != grid:
        detail += f", and it says (q - {stated.zero_point}) * {stated.scale:.6g}"
    name = "postprocessing.json against model.tflite"
    return (CheckRow(name=name, passed=stated == grid, detail=detail),)


def _run(opened: _Opened, device: str | None) -> DeviceRun:
    """The artifact's own answers to every test input."""
    from edgeflow.devices.fpga_runner import run_design
    from edgeflow.devices.hls_emulation import build_emulation, run_emulation
    from edgeflow.devices.linux_runner import runner_for
    from edgeflow.devices.registry import device_for

    artifact, target = opened.artifact, opened.target
    if isinstance(artifact, FirmwareImage | Hardware | HlsProject) and device is not None:
        raise ConfigError(
            f"{device} cannot run the artifact of {target.name}",
            hint="leave the device out; boards over ssh run programs of Linux targets",
        )
    if isinstance(artifact, Hardware):
        return run_design(artifact.design, opened.graph, opened.inputs).run
    if isinstance(artifact, HlsProject):
        program = build_emulation(artifact)
        return run_emulation(artifact, program, opened.graph, opened.inputs)
    if isinstance(artifact, FirmwareImage):
        return device_for(target).run(artifact, opened.inputs, RunLimits())
    return runner_for(target, device).run(artifact, opened.inputs, RunLimits())


def _binary(opened: _Opened) -> tuple[CheckRow, ...]:
    """What else hangs together: of firmware its two files, of a program what it asks of Linux."""
    artifact = opened.artifact
    if isinstance(artifact, FirmwareImage):
        same = artifact.bin == opened.files[FIRMWARE_BIN]
        detail = f"{artifact.flash_bytes:,} bytes" if same else "they load different bytes"
        return (CheckRow(name="firmware.bin against firmware.elf", passed=same, detail=detail),)
    if isinstance(artifact, RuntimeProgram | Hardware | HlsProject):
        return ()
    try:
        require_fitting(artifact, opened.target)
    except DoesNotFitError as error:
        return (CheckRow(name=_SYSTEM_CHECK, passed=False, detail=error.message),)
    needs = f"glibc {'.'.join(map(str, artifact.glibc))}" if artifact.glibc else "no library"
    return (CheckRow(name=_SYSTEM_CHECK, passed=True, detail=f"it needs {needs}"),)


def _answers(
    opened: _Opened, answers: NDArray[np.int8], counted: tuple[Score, ...], scoring: Scoring
) -> CheckRow:
    """The artifact's answers against those that the bundle holds: equal, of ours."""
    if not isinstance(opened.artifact, RuntimeProgram):
        return _equal(_DEVICE_CHECK[opened.target.family], opened.expected, answers)
    expected = opened.expected.reshape(len(opened.expected), -1)
    found = agreement(expected, answers)
    refused = objection(found, score_answers(expected, opened.labels, scoring), counted)
    detail = f"{refused}; {found.told}" if refused else found.told
    name = f"{opened.artifact.name} against test/expected.npy"
    return CheckRow(name=name, passed=not refused, detail=detail)


def _equal(name: str, expected: NDArray[np.int8], answers: NDArray[np.int8]) -> CheckRow:
    images = len(expected)
    if answers.size != expected.size:
        detail = f"shape {answers.shape} instead of {expected.shape}"
        return CheckRow(name=name, passed=False, detail=detail)
    different = (answers.reshape(images, -1) != expected.reshape(images, -1)).any(axis=1)
    wrong = int(np.count_nonzero(different))
    detail = f"all {images} equal" if wrong == 0 else f"{wrong} of {images} differ"
    return CheckRow(name=name, passed=wrong == 0, detail=detail)


def _counts(summary: Summary, run: DeviceRun) -> CheckRow:
    counted = {layer.symbol: _mean(layer) for layer in run.layers}
    overhead = counted.pop(INVOKE_SYMBOL, 0.0)
    stated = {row.symbol: row.instructions or 0.0 for row in summary.layers}
    wrong = sorted(name for name in stated if counted.get(name) != stated[name])
    wrong += sorted(counted.keys() - stated.keys())
    if overhead != summary.overhead_instructions:
        wrong.append(INVOKE_SYMBOL)
    total = sum(stated.values()) + summary.overhead_instructions
    if not wrong:
        detail = f"{_count(total)} per inference, every layer as in figures.json"
        return CheckRow(name="instructions", passed=True, detail=detail)
    first = wrong[0]
    said = stated.get(first, summary.overhead_instructions if first == INVOKE_SYMBOL else 0.0)
    now = overhead if first == INVOKE_SYMBOL else counted.get(first, 0.0)
    detail = f"{len(wrong)} layers differ; {first}: {_count(now)}, figures.json says {_count(said)}"
    return CheckRow(name="instructions", passed=False, detail=detail)


def _count(mean: float) -> str:
    return f"{mean:,.0f}" if mean.is_integer() else f"{mean:,.1f}"


def _mean(layer: LayerInstructions) -> float:
    """The mean count per inference, as `figures.json` states it."""
    return float(layer.instructions.mean())
