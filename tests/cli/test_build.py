"""`edgeflow build` with every real stage."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeflow.errors import ExitCode
from edgeflow.pipeline.storage import PARTIAL_PREFIX
from tests.cli.conftest import QUICK, ROOT, Built, edgeflow
from tests.pipeline.small_line import tree

STAGES = ["data", "train", "quantize", "generate", "compile", "run", "gate", "report", "bundle"]
HEAVY = ("torch", "nncf", "onnx", "matplotlib", "sklearn", "scipy", "unicorn", "tflite")


def test_the_document_of_a_build_holds_stages_figures_and_places(built: Built) -> None:
    document = built.ended.document
    assert [stage["stage"] for stage in document["stages"]] == STAGES
    assert document["passed"]
    assert Path(document["bundle"], "firmware", "firmware.elf").is_file()
    figures = {figure["name"]: figure for figure in document["figures"]}
    instructions = figures["instructions per inference"]
    assert (instructions["kind"], instructions["unit"]) == ("simulated", "instructions")
    assert instructions["value"] > 10_000
    on_device = [row for row in document["accuracies"] if row["stage"] == "device"]
    assert on_device[0]["value"] > 0.5


def test_a_second_build_is_cached_and_imports_nothing_heavy(built: Built) -> None:
    program = (
        "import sys; from edgeflow.cli.app import run; "
        "code = run(sys.argv[1:]); "
        f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )
    arguments = ["build", "--config", str(built.config), "--run-dir", str(built.run_dir)]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("cached") == len(STAGES)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_resolved_configuration_gives_the_same_build(built: Built) -> None:
    resolved = built.run_dir / "edgeflow.resolved.toml"
    ended = edgeflow(
        "build", "--config", resolved, "--run-dir", built.run_dir, "--dry-run", "--json"
    )
    assert all(stage["cached"] for stage in ended.document["stages"])


def test_the_bundle_names_no_place_of_this_machine(built: Built) -> None:
    places = [str(built.run_dir).encode(), str(ROOT).encode(), str(Path.home()).encode() + b"/"]
    for name, content in tree(built.run_dir / "bundle").items():
        assert not [place for place in places if place in content], name
    tomllib.loads((built.run_dir / "bundle" / "config.toml").read_text(encoding="utf-8"))


def test_a_built_bundle_verifies_and_an_altered_one_does_not(built: Built, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(built.run_dir / "bundle", bundle)
    ended = edgeflow("verify", bundle, "--json")
    assert ended.code == 0, ended.err
    assert ended.document["passed"]
    path = bundle / "test" / "labels.npy"
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    ended = edgeflow("verify", bundle)
    assert ended.code == ExitCode.BAD_INPUT
    assert "labels.npy" in ended.err


def test_a_report_shows_the_figures_and_is_written_where_asked(
    built: Built, tmp_path: Path
) -> None:
    for directory in (built.run_dir, built.run_dir / "bundle"):
        ended = edgeflow("report", directory, "--output", tmp_path / "new.html")
        assert ended.code == 0, ended.err
        assert "instructions per inference" in ended.out
        assert (tmp_path / "new.html").read_bytes() == (directory / "report.html").read_bytes()


def test_a_missed_budget_is_a_negative_verdict_with_report_and_without_bundle(
    built: Built, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(built.run_dir, run_dir)
    arguments = ("build", "--config", built.config, "--run-dir", run_dir, "--json")
    ended = edgeflow(*arguments, "--budget", "instructions=10k", "--budget", "accuracy=10%")
    assert ended.code == ExitCode.NEGATIVE_VERDICT
    document = ended.document
    assert not document["passed"]
    assert document["error"]["exit_code"] == 1
    assert "over the budget of 10,000" in document["error"]["message"]
    assert Path(document["report"]).is_file()
    assert document["bundle"] is None
    assert not (run_dir / "bundle").exists()
    failed = [check["name"] for check in document["checks"] if not check["passed"]]
    assert failed == ["instructions per inference"]
    assert [stage["cached"] for stage in document["stages"]][:6] == [True] * 6
    assert edgeflow(*arguments).code == 0
    assert tree(run_dir / "bundle") == tree(built.run_dir / "bundle")


def test_firmware_that_does_not_fit_is_infeasible_with_the_figures(
    built: Built, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(built.run_dir, run_dir)
    target = tmp_path / "tiny.toml"
    target.write_text(
        'extends = "cortex-m4"\nname = "tiny"\ndescription = "too small"\n'
        '[[memory]]\nname = "FLASH"\nkind = "flash"\norigin = 0\nsize_bytes = 4096\n'
        '[[memory]]\nname = "RAM"\nkind = "ram"\norigin = 0x20000000\nsize_bytes = 65536\n',
        encoding="utf-8",
    )
    arguments = ("--config", built.config, "--run-dir", run_dir, "--target", target)
    ended = edgeflow("build", *arguments)
    assert ended.code == ExitCode.INFEASIBLE, ended.err
    assert "4096 available" in ended.err


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
def test_an_integer_model_skips_training_and_quantization(
    built: Built, tmp_path: Path, name: str
) -> None:
    model = built.run_dir / "bundle" / name
    arguments = ("--config", built.config, "--run-dir", tmp_path / "run", "--model", model)
    ended = edgeflow("build", *arguments, "--json")
    assert ended.code == 0, ended.err
    document = ended.document
    assert [stage["stage"] for stage in document["stages"]][:3] == ["data", "import", "generate"]
    ours, theirs = (
        {row["stage"]: row["value"] for row in found["accuracies"]}
        for found in (built.ended.document, document)
    )
    assert theirs["device"] == ours["device"]
    expected = "test/expected.npy"
    assert tree(tmp_path / "run" / "bundle")[expected] == tree(built.run_dir / "bundle")[expected]


def test_an_integer_model_on_data_without_labels_shows_no_accuracy(
    built: Built, tmp_path: Path
) -> None:
    samples = tmp_path / "samples.npz"
    x = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
    np.savez(samples, x=x)
    model = built.run_dir / "bundle" / "model.tflite"
    run_dir = tmp_path / "run"
    arguments = ("build", "--data", samples, "--model", model, "--run-dir", run_dir)
    refused = edgeflow(*arguments, "--budget", "accuracy=0.5")
    assert refused.code == ExitCode.USAGE
    assert "the data has no labels" in refused.err
    assert not run_dir.exists()
    ended = edgeflow(*arguments)
    assert ended.code == 0, ended.err
    assert "no labels: no accuracy is counted" in ended.err
    assert "accuracy" not in ended.out
    document = edgeflow(*arguments, "--json").document
    assert (document["passed"], document["images"], document["accuracies"]) == (True, 12, [])
    verified = edgeflow("verify", run_dir / "bundle", "--json")
    assert verified.code == 0, verified.err
    assert "accuracy" not in [check["name"] for check in verified.document["checks"]]


def test_a_python_network_is_built_and_its_source_belongs_to_the_key(
    built: Built, tmp_path: Path
) -> None:
    module = tmp_path / "my_network.py"
    module.write_text(
        "from torch import nn\n\n\n"
        "def make(input_shape_hwc, outputs):\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(),\n"
        "                         nn.Linear(64, outputs))\n",
        encoding="utf-8",
    )
    arguments = ("build", "--config", built.config, "--run-dir", tmp_path / "run", "--json")
    arguments = (*arguments, "--model", "my_network:make")
    ended = edgeflow(*arguments, PYTHONPATH=str(tmp_path))
    assert ended.code == 0, ended.err
    assert ended.document["passed"]
    module.write_text(module.read_text(encoding="utf-8") + "\n\nx = 1\n", encoding="utf-8")
    planned = edgeflow(*arguments, "--dry-run", PYTHONPATH=str(tmp_path))
    assert [stage["cached"] for stage in planned.document["stages"]][:2] == [True, False]


def test_training_that_diverges_says_where(tmp_path: Path) -> None:
    config = tmp_path / "edgeflow.toml"
    options = "[train]\nepochs = 1\nlearning_rate = 1e38\nsanity_checks = false\n"
    config.write_text(options, encoding="utf-8")
    ended = edgeflow("build", "--config", config, "--run-dir", tmp_path / "run", "--json")
    assert ended.code == ExitCode.TRAINING, ended.err
    assert "epoch 1" in ended.document["error"]["message"]


def test_training_in_vain_is_not_begun(tmp_path: Path) -> None:
    config = tmp_path / "edgeflow.toml"
    config.write_text("[train]\nlearning_rate = 100\n", encoding="utf-8")
    ended = edgeflow("build", "--config", config, "--run-dir", tmp_path / "run", "--json")
    assert ended.code == ExitCode.TRAINING, ended.err
    error = ended.document["error"]
    assert "sanity check 'learning rate' failed" in error["message"]
    assert "too high: try a tenth" in error["hint"]
    assert "[train] sanity: learning rate:" in ended.err
    assert "epoch 1" not in ended.err


def test_a_build_killed_at_random_moments_gives_the_undisturbed_bundle(
    built: Built, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    random = np.random.default_rng(7)
    arguments = ("--config", str(built.config), "--run-dir", str(run_dir))
    for stage, longest_seconds, how in (
        ("data", 1.0, signal.SIGKILL),
        ("train", 4.0, signal.SIGKILL),
        ("quantize", 2.0, signal.SIGINT),
        ("compile", 1.0, signal.SIGKILL),
        ("run", 1.0, signal.SIGKILL),
        ("bundle", 0.2, signal.SIGKILL),
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "edgeflow", "build", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"[{stage}]"):
                break
        time.sleep(float(random.uniform(0.0, longest_seconds)))
        process.send_signal(how)
        process.communicate()
        assert process.returncode in (-how, int(ExitCode.INTERRUPTED), 0)
    ended = edgeflow("build", *arguments)
    assert ended.code == 0, ended.err
    assert tree(run_dir / "bundle") == tree(built.run_dir / "bundle")
    assert list(run_dir.rglob(f"{PARTIAL_PREFIX}*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_says_how_to_go_on(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgeflow", "build", "--run-dir", str(tmp_path), "--json"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that were started in the background of a shell hand on that it is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    next(line for line in process.stderr if "started" in line)  # the first stage has begun
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert not (tmp_path / "lock.json").exists()


@pytest.mark.parametrize("name", ["data", "run"])
def test_a_damaged_real_stage_is_rebuilt_to_the_same_bundle(
    built: Built, tmp_path: Path, name: str
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(built.run_dir, run_dir)
    files = [path for path in (run_dir / "stages" / name).rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    ended = edgeflow("build", "--config", built.config, "--run-dir", run_dir)
    assert ended.code == 0, ended.err
    assert f"[{name}] the cached result is damaged" in ended.err
    assert tree(run_dir / "bundle") == tree(built.run_dir / "bundle")


def test_a_network_with_four_bit_weights_is_trained_built_and_verified(tmp_path: Path) -> None:
    config = tmp_path / "edgeflow.toml"
    config.write_text(QUICK + "weight_bits = 4\nfirst_and_last_weight_bits = 8\n", encoding="utf-8")
    ended = edgeflow("build", "--config", config, "--run-dir", tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["passed"]
    accuracy = {
        row["stage"]: row["value"] for row in ended.document["accuracies"] if row["split"] == "test"
    }
    assert accuracy["device"] == accuracy["int8, interpreter"] > 0.5
    bundle = tmp_path / "run" / "bundle"
    weights = (bundle / "firmware" / "edgeflow_weights.c").read_text(encoding="utf-8")
    assert "int4 weights" in weights
    assert "int8 weights" in weights
    assert edgeflow("verify", bundle, "--json").document["passed"]


def test_weight_bits_that_the_target_does_not_run_are_refused_before_training(
    tmp_path: Path,
) -> None:
    config = tmp_path / "edgeflow.toml"
    config.write_text("[quantize]\nweight_bits = 3\n", encoding="utf-8")
    ended = edgeflow("build", "--config", config, "--run-dir", tmp_path / "run")
    assert ended.code == ExitCode.USAGE
    assert "weight_bits = 3: cortex-m4 does not run such weights" in ended.err
    assert "weight bits there: 2, 4, 8" in ended.err
    assert not (tmp_path / "run" / "stages").exists()


def test_a_profile_shows_the_precisions_of_an_operator_below_one_another() -> None:
    ended = edgeflow("profiles", "show", "cortex-m4/reference-networks")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    layer = "CONV_2D in=1x8x8x64 out=1x8x8x64 kernel=3x3 stride=1x1 pad=1,1,1,1"
    shown = [line for line in lines if line.startswith(f"{layer} ")]
    precisions = [line.removeprefix(layer).split()[0] for line in shown]
    assert precisions == ["w8a8", "w4a8", "w2a8"]
    flash = [int(line.split()[-3 if "w8a8" not in line else -2].replace(",", "")) for line in shown]
    assert flash[1] < 0.6 * flash[0]
    assert flash[2] < 0.35 * flash[0]
