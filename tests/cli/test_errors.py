"""Bad input on the command line: a clear message, the right exit code, one JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeflow.cli.app import run
from edgeflow.errors import ExitCode
from edgeflow.pipeline import lock
from tests.cli.conftest import ROOT, Built, edgeflow
from tests.shared_data import shared_file

USAGE, BAD_INPUT = ExitCode.USAGE, ExitCode.BAD_INPUT


def make_files(folder: Path) -> None:
    (folder / "bad.tflite").write_bytes(b"\x18\0\0\0TFL3" + b"\xff" * 40)
    (folder / "bad.onnx").write_bytes(b"\x08\x07DequantizeLinear")
    (folder / "notes.txt").write_text("no model")
    (folder / "empty").mkdir()
    (folder / "bad.zip").write_bytes(b"PK\3\4 and no more")
    (folder / "unknown.toml").write_text("[train]\nepoch = 3\n")
    names = np.array(["six", "seven", "eight"] * 10)
    np.savez(folder / "named.npz", x=np.arange(90.0).reshape(30, 3), y=names)
    (folder / "normal.toml").write_text('[data]\nsource = "named.npz"\nnormal_class = "sevn"\n')
    (folder / "broken.toml").write_text("[train\n")
    (folder / "target.toml").write_text('name = "target"\ncolour = "red"\n')
    (folder / "profile.json").write_text('{"schema_version": 2, "rows": NaN}')
    (folder / "file").write_text("in the way")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "manifest.json").write_text("{}")


CASES = [
    ("build --target cortex-m5", USAGE, "cortex-m4"),
    ("build --target ../secrets", USAGE, "no target"),
    ("build --target {}/target.toml", BAD_INPUT, "colour"),
    ("build --model smal", USAGE, "did you mean 'small'"),
    ("build --model {}/absent.tflite", BAD_INPUT, "absent.tflite"),
    ("build --model {}/notes.txt", BAD_INPUT, "notes.txt"),
    ("build --model {}/bad.tflite", BAD_INPUT, "tflite"),
    ("build --model {}/bad.onnx", BAD_INPUT, "onnx"),
    ("build --model no_such_module_here:net", BAD_INPUT, "no_such_module_here"),
    ("build --data digit", USAGE, "did you mean 'digits'"),
    ("build --data {}/absent", BAD_INPUT, "absent"),
    ("build --data {}/empty", BAD_INPUT, "empty"),
    ("build --data /dev/zero", BAD_INPUT, "neither a file nor a folder"),
    ("build --data=", USAGE, "data source is empty"),
    ("build --data {}/bad.zip", BAD_INPUT, "bad.zip"),
    ("build --budget flsh=1", USAGE, "did you mean 'flash'"),
    ("build --budget accuracy=2", USAGE, "accuracy"),
    ("build --budget rmse=1", USAGE, "use the budget accuracy="),
    ("build --config {}/normal.toml --budget auc=0.9", USAGE, "did you mean 'seven'"),
    ("build --config {}/normal.toml --model small", USAGE, "small is a classifier"),
    ("build --config {}/unknown.toml", USAGE, "did you mean 'epochs'"),
    ("build --config {}/broken.toml", USAGE, "no valid TOML"),
    ("build --config {}/absent.toml", USAGE, "absent.toml"),
    ("build --engine tflm", USAGE, "tflm_path and cmsis_nn_path"),
    (
        "build --engine tflite",
        USAGE,
        "'edgeflow', 'tflm', 'litert', 'onnxruntime', 'tvm' or 'cuda'",
    ),
    ("build --tflm-path {}/empty", USAGE, "only for engine = 'tflm'"),
    (
        "build --engine tflm --tflm-path {}/empty --cmsis-nn-path {}/empty",
        BAD_INPUT,
        "no checkout",
    ),
    ("build --seed many", USAGE, "--seed"),
    ("build --seed -1", USAGE, "seed"),
    ("build --bugdet flash=1", USAGE, "--budget"),
    ("bild", USAGE, "bild"),
    ("verify {}/absent", BAD_INPUT, "absent"),
    ("verify {}/bundle", BAD_INPUT, "damaged"),
    ("report {}/empty", BAD_INPUT, "figures.json"),
    ("targets show cortex-m5", USAGE, "cortex-m4"),
    ("profiles show cortex-m4/none", USAGE, "no profile"),
    ("profiles show {}/profile.json", BAD_INPUT, "NaN"),
]


@pytest.mark.parametrize(("line", "code", "told"), CASES, ids=[case[0] for case in CASES])
def test_bad_input_ends_with_its_exit_code_and_one_document(
    line: str, code: ExitCode, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_files(tmp_path)
    arguments = [word.replace("{}", str(tmp_path)) for word in line.split()]
    if line.startswith("build"):
        arguments += ["--run-dir", str(tmp_path / "run")]
    assert run([*arguments, "--json"]) == code
    captured = capfd.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["exit_code"] == code
    assert told in f"{error['message']} {error['hint']}"
    assert error["message"].splitlines()[0] in captured.err
    assert "Traceback" not in captured.err


def test_a_run_directory_that_is_a_file_is_a_storage_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(["build", "--run-dir", str(tmp_path / "file")]) == ExitCode.STORAGE
    assert str(tmp_path / "file") in capfd.readouterr().err


def test_what_lies_in_the_way_of_other_commands_says_their_own_option(
    built: Built, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(["init", str(tmp_path / "file")]) == ExitCode.STORAGE
    assert "--run-dir" not in capfd.readouterr().err
    assert run(["report", str(built.run_dir), "--output", str(tmp_path)]) == ExitCode.STORAGE
    told = capfd.readouterr().err
    assert f"{tmp_path} is in the way" in told
    assert "--output" in told


def test_verify_of_a_run_directory_names_its_bundle(
    built: Built, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(built.run_dir)]) == BAD_INPUT
    assert f"did you mean {built.run_dir / 'bundle'}?" in capfd.readouterr().err


def test_a_held_run_directory_is_busy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with lock.hold(tmp_path):
        assert run(["build", "--run-dir", str(tmp_path)]) == ExitCode.BUSY
    assert "process" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("group", "file"), [("targets", "target.toml"), ("profiles", "profile.json")]
)
def test_validation_tells_every_bad_file(
    group: str, file: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_files(tmp_path)
    files = [str(tmp_path / file), str(tmp_path / "absent")]
    assert run([group, "validate", *files, "--json"]) == BAD_INPUT
    rows = json.loads(capfd.readouterr().out)["files"]
    assert [row["valid"] for row in rows] == [False, False]


def test_shipped_targets_are_valid(capfd: pytest.CaptureFixture[str]) -> None:
    from edgeflow.targets import registry

    files = [str(path) for path in sorted(registry.directories()[-1].glob("[!_]*.toml"))]
    assert files
    assert run(["targets", "validate", *files]) == 0


def test_a_defect_leaves_a_log_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from edgeflow.targets import registry

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(registry, "names", lambda: 1 // 0)
    assert run(["targets", "list", "--json"]) == ExitCode.INTERNAL
    captured = capfd.readouterr()
    error = json.loads(captured.out)["error"]
    assert "defect" in error["message"]
    assert "Traceback" not in captured.err
    log = Path(error["hint"].split()[-1])
    assert log.parent == tmp_path
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def test_debug_shows_the_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "show", "cortex-m5", "--debug"]) == USAGE
    assert "Traceback" in capfd.readouterr().err


def test_init_never_writes_over_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path)]) == 0
    assert run(["init", str(tmp_path)]) == USAGE
    assert "exists already" in capfd.readouterr().err


def test_doctor_asks_for_what_is_missing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ended = edgeflow("doctor", "--json", XDG_CACHE_HOME=str(blocked))
    assert ended.code == ExitCode.MISSING_TOOL
    states = {finding["name"]: finding["state"] for finding in ended.document["findings"]}
    assert states["compiler cache"] == "missing"
    assert states["emulator (unicorn)"] == "ok"


def test_doctor_lists_the_compiler_of_the_engine_tflm_as_optional(tmp_path: Path) -> None:
    ended = edgeflow("doctor", "--json", PATH=str(tmp_path))
    found = {finding["name"]: finding for finding in ended.document["findings"]}
    compiler = found["arm-none-eabi-g++"]
    assert compiler["state"] == "absent"
    assert "optional" in compiler["detail"]
    assert "apt install gcc-arm-none-eabi" in compiler["remedy"]
    assert ended.code == 0


def test_doctor_finds_this_machine_ready() -> None:
    ended = edgeflow("doctor", "--json")
    assert ended.code == 0, ended.out
    assert ended.document["ready"]


def test_a_model_that_does_not_suit_the_data_is_told_with_both_shapes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = shared_file("kws_dscnn_int8.tflite")
    arguments = ["build", "--model", str(model), "--run-dir", str(tmp_path / "run"), "--json"]
    assert run(arguments) == BAD_INPUT
    message = json.loads(capfd.readouterr().out)["error"]["message"]
    assert "[49, 10, 1]" in message
    assert "[8, 8, 1]" in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("ending", ["> /dev/full", ">&-"], ids=["full", "closed"])
@pytest.mark.parametrize("form", ["", "--json"])
def test_an_answer_that_cannot_be_written_is_a_storage_error(form: str, ending: str) -> None:
    line = f"'{sys.executable}' -m edgeflow targets list {form} {ending}"
    ended = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.STORAGE
    assert "standard output" in ended.stderr
    assert "Traceback" not in ended.stderr
