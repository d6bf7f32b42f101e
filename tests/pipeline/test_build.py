from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeflow.errors import BusyError, ExitCode, StorageError
from edgeflow.pipeline import lock, store
from edgeflow.pipeline.build import preview, run_plan
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.storage import PARTIAL_PREFIX, storage_errors
from tests.pipeline import small_line
from tests.pipeline.small_line import plan, run_line, tree

STAGES = [stage.name for stage in small_line.LINE]
PROGRAM = "tests.pipeline.run_small_line"
ROOT = Path(__file__).parents[2]


def start(run_dir: Path, pause_seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", PROGRAM, str(run_dir), str(pause_seconds), "0"]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that were started in the background of a shell hand on that it is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def cached(run_dir: Path) -> list[bool]:
    return [stage.cached for stage in run_line(run_dir).stages]


def test_a_second_build_uses_every_stage_of_the_first(tmp_path: Path) -> None:
    assert cached(tmp_path) == [False] * 4
    assert cached(tmp_path) == [True] * 4


def test_the_same_inputs_give_the_same_bundle(tmp_path: Path) -> None:
    run_line(tmp_path / "one")
    run_line(tmp_path / "two")
    assert tree(tmp_path / "one" / "bundle") == tree(tmp_path / "two" / "bundle")


def test_an_option_rebuilds_the_stages_that_read_it_and_those_behind(tmp_path: Path) -> None:
    run_line(tmp_path)
    config = from_values({"budget": {"flash_bytes": 1}}, "test")
    changed = preview(plan(config), tmp_path)
    assert [stage.cached for stage in changed] == [True, True, False, False]


def test_switching_an_option_back_is_free(tmp_path: Path) -> None:
    run_line(tmp_path, seed=0)
    run_line(tmp_path, seed=1)
    assert all(stage.cached for stage in run_line(tmp_path, seed=0).stages)


def test_old_results_are_pruned(tmp_path: Path) -> None:
    for seed in range(4):
        run_line(tmp_path, seed=seed)
    for stage in STAGES:
        assert len(list((tmp_path / "stages" / stage).iterdir())) <= store.KEPT_KEYS


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def add(path: Path) -> None:
    (path.parent / "extra").write_bytes(b"")


def replace_by_link(path: Path) -> None:
    copy = path.parents[3] / "copy"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


DAMAGES = (truncate, alter, add, Path.unlink, replace_by_link)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["mean.npz", "manifest.json"])
def test_a_damaged_result_is_rebuilt_and_never_used(tmp_path: Path, damage, name: str) -> None:
    result = run_line(tmp_path)
    whole = tree(tmp_path / "stages")
    damage(result.outputs["mean"] / name)
    told = []
    again = run_plan(plan(Config()), tmp_path, lambda event: told.append(event.message))
    assert [stage.cached for stage in again.stages] == [True, False, True, True]
    assert any("damaged" in message for message in told)
    assert tree(tmp_path / "stages") == whole


def test_what_was_made_from_other_outputs_is_rebuilt(tmp_path: Path) -> None:
    result = run_line(tmp_path)
    arrays = small_line.read_arrays(result.outputs["mean"] / "mean.npz")

    def other(output: Path) -> None:
        small_line.write_arrays(output / "mean.npz", {"mean": arrays["mean"] + 1})
        (output / "ballast").write_bytes(b"")

    key = {stage.stage: stage.key for stage in result.stages}["mean"]
    found = store.look_up(
        tmp_path / "stages", "data", {s.stage: s.key for s in result.stages}["data"], {}
    )
    assert isinstance(found, store.Entry)
    store.produce(tmp_path / "stages", "mean", key, {"data": found.digest}, other)
    assert cached(tmp_path) == [True, True, False, False]


def test_a_changed_bundle_is_put_right(tmp_path: Path) -> None:
    run_line(tmp_path)
    whole = tree(tmp_path / "bundle")
    (tmp_path / "bundle" / "mean-mean.npz").write_bytes(b"")
    run_line(tmp_path)
    assert tree(tmp_path / "bundle") == whole


def test_a_build_that_fails_leaves_no_earlier_bundle_standing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_line(tmp_path, seed=0)
    whole = tree(tmp_path / "bundle")
    with monkeypatch.context() as patch:
        patch.setattr(small_line, "EXTRA_BYTES", "not a number")
        with pytest.raises(TypeError):
            run_line(tmp_path, seed=1)
    assert not (tmp_path / "bundle").exists()
    assert all(stage.cached for stage in run_line(tmp_path, seed=0).stages)
    assert tree(tmp_path / "bundle") == whole


def test_a_folder_that_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "bundle" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(StorageError, match="no bundle of edgeflow"):
        run_line(tmp_path)
    assert precious.read_text() == "years of work"


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert [stage.cached for stage in preview(plan(Config()), run_dir)] == [False] * 4
    assert not run_dir.exists()
    run_line(run_dir)
    before = {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}
    assert [stage.cached for stage in preview(plan(Config()), run_dir)] == [True] * 4
    assert {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")} == before


def test_killed_builds_resume_and_give_the_undisturbed_bundle(tmp_path: Path) -> None:
    run_line(tmp_path / "undisturbed")
    random = np.random.default_rng(20)
    run_dir = tmp_path / "killed"
    kills = 0
    for _ in range(7):
        process = start(run_dir, 0.15)
        try:
            process.wait(timeout=float(random.uniform(0.4, 1.8)))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
        if process.returncode == 0:
            (run_dir / "edgeflow.resolved.toml").unlink()
            for stage in random.permutation(STAGES)[:2]:
                for entry in (run_dir / "stages" / str(stage)).iterdir():
                    truncate(entry / "manifest.json")
    assert kills >= 3
    run_line(run_dir)
    assert tree(run_dir / "bundle") == tree(tmp_path / "undisturbed" / "bundle")
    assert tree(run_dir / "stages") == tree(tmp_path / "undisturbed" / "stages")
    assert list(run_dir.rglob(f"{PARTIAL_PREFIX}*")) == []


def test_two_builds_at_once_end_with_busy_and_name_the_process(tmp_path: Path) -> None:
    process = start(tmp_path, 30)
    try:
        wait_for(tmp_path / lock.OWNER)
        with pytest.raises(BusyError, match=f"process {process.pid}"):
            run_line(tmp_path)
        second = start(tmp_path, 0)
        _, told = second.communicate(timeout=60)
        assert second.returncode == ExitCode.BUSY
        assert str(process.pid) in told
    finally:
        process.kill()
        process.communicate()
    assert len(run_line(tmp_path).stages) == 4  # the lock of a killed build does not block


def test_an_interrupted_build_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path, 30)
    wait_for(tmp_path / "stages" / "data")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "same command again" in told
    assert list(tmp_path.rglob(f"{PARTIAL_PREFIX}*")) == []
    assert run_line(tmp_path).stages[0].cached


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_full_disk_is_a_storage_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    limited = (
        "import resource, runpy, sys; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        f"runpy.run_module({PROGRAM!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, str(tmp_path), "0", str(2 << 20)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.STORAGE, ended.stderr
    assert str(tmp_path) in ended.stderr
    assert list(tmp_path.rglob(f"{PARTIAL_PREFIX}*")) == []
    assert not (tmp_path / "stages" / "mean").exists()
    assert [stage.cached for stage in run_line(tmp_path).stages] == [True, False, False, False]


def test_a_file_in_the_place_of_the_run_directory_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for run_dir in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StorageError):
            run_line(run_dir)


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a directory nobody may write")
def test_a_directory_without_permission_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="not allowed"):
        run_line(Path("/sys/edgeflow"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_no_space_left_names_the_place_and_how_to_go_on(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="no space left") as caught,
        storage_errors(tmp_path),
        Path("/dev/full").open("wb", buffering=0) as stream,
    ):
        stream.write(b"x")
    assert f"{tmp_path}: " in caught.value.message
    assert f"{tempfile.gettempdir()}: " in caught.value.message
    assert "same command again" in caught.value.hint
    assert "TMPDIR" in caught.value.hint


def test_a_folder_in_the_place_of_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "edgeflow.resolved.toml").mkdir()
    with pytest.raises(StorageError, match="in the way"):
        run_line(tmp_path)
