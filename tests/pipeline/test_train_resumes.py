"""The stage train, killed in real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from edgeflow.errors import ExitCode
from edgeflow.pipeline.build import UNFINISHED
from edgeflow.pipeline.steps.train import CHECKPOINT
from edgeflow.progress import ProgressEvent
from tests.pipeline.run_training import OPTIONS, train
from tests.pipeline.small_line import tree

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Outputs of the stage train of a build that nothing disturbs."""
    run_dir = tmp_path_factory.mktemp("undisturbed")
    outputs = tree(train(run_dir).outputs["train"])
    assert not (run_dir / UNFINISHED).exists()
    return outputs


def stop_after(epoch: int, how: signal.Signals, run_dir: Path) -> None:
    """Start a build and send it a signal once it has told that epoch."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.run_training", str(run_dir)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that were started in the background of a shell hand on that it is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[train]") and f" epoch {epoch} " in line:
            break
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode in (-how, ExitCode.INTERRUPTED)


def told(run_dir: Path, undisturbed: dict[str, bytes]) -> list[str]:
    """What the stage says in the build that goes on; its outputs must be the undisturbed ones."""
    events: list[ProgressEvent] = []
    outputs = train(run_dir, progress=events.append).outputs["train"]
    assert tree(outputs) == undisturbed
    assert not (run_dir / UNFINISHED).exists()
    return [event.message for event in events if event.stage == "train"]


def resumed_after(messages: list[str]) -> int:
    (line,) = [message for message in messages if message.startswith("goes on after epoch ")]
    return int(line.split()[4].rstrip(","))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_training_killed_twice_goes_on_to_bit_identical_outputs(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    of_another_key = tmp_path / UNFINISHED / "train" / ("0" * 32) / CHECKPOINT
    of_another_key.parent.mkdir(parents=True)
    of_another_key.write_bytes(b"")
    stop_after(2, signal.SIGKILL, tmp_path)
    assert not of_another_key.exists()
    stop_after(4, signal.SIGINT, tmp_path)
    messages = told(tmp_path, undisturbed)
    epoch = resumed_after(messages)
    assert epoch >= 4
    epochs = [message for message in messages if message.startswith("epoch ")]
    assert epochs == [f"epoch {number}" for number in range(epoch + 1, OPTIONS["epochs"] + 1)]


def test_a_damaged_checkpoint_is_told_and_not_used(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if event.message == "epoch 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, progress=interrupt)
    (path,) = (tmp_path / UNFINISHED).rglob(CHECKPOINT)
    path.write_bytes(path.read_bytes()[:-1])
    messages = told(tmp_path, undisturbed)
    assert "the checkpoint is not used: it is damaged; training starts anew" in messages
