"""NNCF runs here without compiling, printing or sending anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import logging, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("something opened a connection")

socket.socket.connect = refuse
socket.getaddrinfo = refuse

import torch
from torch import nn
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace

torch.set_num_threads(1)
torch.manual_seed(0)
logger_class = logging.getLoggerClass()
x = torch.randn(8, 1, 6, 6)
network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
student = quantize_post_training(trace(network, x), x, 8).train()
student(x).square().sum().backward()
gradients = [p.grad is not None for p in student.parameters() if p.requires_grad]
assert len(gradients) == 4 + 2 + 2 * 3 and all(gradients), gradients
assert freeze(student)(x).isfinite().all()
assert logging.getLoggerClass() is logger_class
assert "openvino_telemetry" not in sys.modules
"""


def test_quantizing_and_training_need_no_compiler_and_leave_no_trace(tmp_path: Path) -> None:
    extensions, home, empty = tmp_path / "extensions", tmp_path / "home", tmp_path / "no-programs"
    for folder in (extensions, home, empty):
        folder.mkdir()
    environment = {
        "PATH": str(empty),
        "HOME": str(home),
        "TORCH_EXTENSIONS_DIR": str(extensions),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor"),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(extensions.iterdir()) == []
    assert list(home.iterdir()) == []
