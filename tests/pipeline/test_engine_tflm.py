"""The engine tflm in a build: its options, its part in stage keys, and real builds with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.backends.engine import EngineOptions
from edgeflow.bundle.summary import Summary
from edgeflow.bundle.verify import require, verify
from edgeflow.errors import ConfigError, EngineError, VerdictError
from edgeflow.exchange import tflite
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import Config, from_values, resolve, to_toml
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.stage import stage_key
from tests.backends.tflm_checkouts import MICRO, real_checkouts, write_checkouts
from tests.devices.qemu import qemu_board

COUNT = 6


def _config(folder: Path, **more: object) -> Config:
    tflm, cmsis_nn = write_checkouts(folder)
    paths = {"tflm_path": str(tflm), "cmsis_nn_path": str(cmsis_nn)}
    return from_values({"build": {"engine": "tflm", **paths, **more}}, "test")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "tflm"}, "needs tflm_path and cmsis_nn_path"),
        ({"engine": "tflm", "tflm_path": "x"}, "needs cmsis_nn_path"),
        ({"tflm_path": "x", "cmsis_nn_path": "y"}, "only for engine = 'tflm'"),
        ({"tflm_include": ["x"]}, "tflm_include: only for engine = 'tflm'"),
        ({"engine": "tflite"}, "'edgeflow', 'tflm', 'litert', 'onnxruntime', 'tvm' or 'cuda'"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_values({"build": options}, "the options")
    assert said in caught.value.message


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    write_checkouts(tmp_path)
    (tmp_path / "headers.d").mkdir()
    path = tmp_path / "edgeflow.toml"
    path.write_text(
        '[build]\nengine = "tflm"\ntflm_path = "./tflm"\ncmsis_nn_path = "./cmsis-nn"\n'
        'tflm_include = ["headers.d"]\n',
        encoding="utf-8",
    )
    options = resolve(path, {}).build
    assert options.tflm_path == str(tmp_path / "tflm")
    assert options.cmsis_nn_path == str(tmp_path / "cmsis-nn")
    assert options.tflm_include == (str(tmp_path / "headers.d"),)


def test_the_resolved_file_gives_the_same_configuration(tmp_path: Path) -> None:
    config = _config(tmp_path, tflm_include=("a", "b"))
    path = tmp_path / "resolved.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert resolve(path, {}) == config


def test_checkouts_without_their_files_and_other_cores_are_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="riscv32"):
        make_plan(_config(tmp_path, target="riscv32"))
    config = _config(tmp_path)
    (tmp_path / "tflm" / MICRO / "micro_interpreter.h").unlink()
    with pytest.raises(EngineError, match=r"micro_interpreter\.h"):
        make_plan(config)


def test_a_stage_s_key_follows_the_checkouts_content_and_not_their_place(tmp_path: Path) -> None:
    def keys(config: Config) -> dict[str, str]:
        plan = make_plan(config)
        found: dict[str, str] = {}
        for stage in plan.stages:
            found[stage.name] = stage_key(stage, plan, found)
        return found

    one, moved = _config(tmp_path / "one"), _config(tmp_path / "moved")
    assert keys(one) == keys(moved)
    conv = tmp_path / "moved" / "tflm" / MICRO / "kernels" / "conv.cc"
    conv.write_text("// changed", encoding="utf-8")
    assert keys(one)["quantize"] == keys(moved)["quantize"]
    assert keys(one)["generate"] != keys(moved)["generate"]
    own = make_plan(from_values({}, "test"))
    assert own.option("engine") == {"name": "edgeflow", "content": None, "compiler": None}


def _convolutions() -> Graph:
    """The network `small` up to its last convolution: operators that TFLM computes alike."""
    whole = lowered(REFERENCES[0])
    last = [node for node in whole.nodes if node.kind is OpKind.CONV_2D][-1]
    nodes = whole.nodes[: whole.nodes.index(last) + 1]
    used = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    tensors = {name: tensor for name, tensor in whole.tensors.items() if name in used}
    return replace(whole, tensors=tensors, nodes=nodes, outputs=last.outputs)


def _brought(folder: Path, graph: Graph, options: EngineOptions, target: str) -> Config:
    """A configuration of an integer model and samples without labels for it."""
    (folder / "model.tflite").write_bytes(tflite.write(graph))
    tensor = graph.tensors[graph.inputs[0]]
    assert tensor.quantization is not None
    values = np.random.default_rng(4).integers(-128, 128, (COUNT, *tensor.shape[1:]))
    x = (values - tensor.quantization.zero_points[0]) * tensor.quantization.scales[0]
    np.savez(folder / "samples.npz", x=x.astype(np.float32))
    return from_values(
        {
            "build": {
                "model": str(folder / "model.tflite"),
                "target": target,
                "engine": options.engine,
                "tflm_path": options.tflm_path,
                "cmsis_nn_path": options.cmsis_nn_path,
                "tflm_include": options.tflm_include,
            },
            "data": {"source": str(folder / "samples.npz")},
        },
        "test",
    )


def _summary(result: BuildResult) -> Summary:
    return Summary.model_validate_json((result.run_dir / "figures.json").read_bytes())


@pytest.mark.tflm
@pytest.mark.parametrize(
    "target", ["cortex-m4", pytest.param("mps3-an547", marks=pytest.mark.qemu)]
)
def test_a_real_build_answers_like_the_interpreter_and_counts_every_layer(
    tmp_path: Path, target: str
) -> None:
    options = real_checkouts()
    if target != "cortex-m4":
        qemu_board(target)
    graph = _convolutions()
    result = build(_brought(tmp_path, graph, options, target), tmp_path / "run")
    summary = _summary(result)
    assert [check.name for check in summary.checks if not check.passed] == []
    assert [layer.operator for layer in summary.layers] == [node.kind for node in graph.nodes]
    assert sum(layer.macs for layer in summary.layers) > 80_000
    assert all(layer.instructions > 20 for layer in summary.layers)
    counted = sum(layer.instructions for layer in summary.layers) + summary.overhead_instructions
    assert counted == summary.figure("instructions per inference").value
    assert summary.figure("model file in flash").value == len(tflite.write(graph))
    assert summary.engine == "tflm"
    assert 0 < summary.arena_bytes < 64 * 1024
    assert result.bundle is not None
    require(verify(result.bundle))
    names = {path.name for path in (result.bundle / "firmware").iterdir()}
    assert {"edgeflow_tflm.cc", "edgeflow_tflm_api.cc", "firmware.elf"} < names
    assert (
        str(Path(options.tflm_path or "").parent).encode()
        not in (result.bundle / "firmware" / "firmware.elf").read_bytes()
    )


@pytest.mark.tflm
def test_dense_layers_that_round_otherwise_are_refused_with_the_reason(tmp_path: Path) -> None:
    options = real_checkouts()
    graph = lowered(next(r for r in REFERENCES if r.network == "mlperf-autoencoder"))
    result = build(_brought(tmp_path, graph, options, "cortex-m4"), tmp_path / "run")
    assert isinstance(result.refusal, VerdictError)
    assert "the largest difference is " in result.refusal.message
    assert "FULLY_CONNECTED rounds twice" in result.refusal.message
    assert "FULLY_CONNECTED rounds twice" in (result.run_dir / "report.html").read_text("utf-8")
