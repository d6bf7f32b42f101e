"""A bundle that was tampered with, consistently with its manifest, still does not pass."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.image import read_image
from edgeflow.bundle import artifact, assemble
from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.verify import Verification, require, verify
from edgeflow.errors import BundleError, VerdictError

Change = Callable[[dict[str, bytes]], None]


@pytest.fixture
def forged(digits_bundle: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Changes files of the real bundle and writes a manifest that agrees with the change."""

    def forge(change: Change) -> Path:
        manifest, files = read_bundle(digits_bundle)
        changed = dict(files)
        change(changed)
        directory = tmp_path / "forged"
        write_bundle(changed, directory, target=manifest.target, model=manifest.model)
        return directory

    return forge


def failed(verification: Verification) -> set[str]:
    return {check.name for check in verification.checks if not check.passed}


def test_the_bundle_of_a_build_passes_every_check(digits_bundle: Path) -> None:
    verification = verify(digits_bundle)
    assert verification.passed
    assert verification.images == 359
    require(verification)


def test_a_copy_elsewhere_passes_without_torch_or_the_run_directory(
    digits_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for path in digits_bundle.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(digits_bundle)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    script = (
        "import sys; from pathlib import Path; from edgeflow.bundle.verify import verify; "
        "assert verify(Path(sys.argv[1])).passed; "
        "assert not {'torch', 'nncf', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(copy)], check=True, cwd=tmp_path)


def test_another_firmware_is_noticed(forged: Callable[[Change], Path]) -> None:
    def swap_weight(files: dict[str, bytes]) -> None:
        image = bytearray(files[artifact.FIRMWARE_ELF])
        place = image.index(_weights(files))
        image[place] ^= 0x55
        files[artifact.FIRMWARE_ELF] = bytes(image)

    verification = verify(forged(swap_weight))
    assert "firmware against test/expected.npy" in failed(verification)
    assert "firmware.bin against firmware.elf" in failed(verification)
    with pytest.raises(VerdictError, match="differ"):
        require(verification)


def test_other_expected_answers_are_noticed(forged: Callable[[Change], Path]) -> None:
    def shift(files: dict[str, bytes]) -> None:
        expected = assemble.load_npy(files[assemble.TEST_EXPECTED]).copy()
        expected[3] ^= 1
        files[assemble.TEST_EXPECTED] = _npy(expected)

    assert failed(verify(forged(shift))) == {
        "interpreter against test/expected.npy",
        "firmware against test/expected.npy",
    }


def test_an_embellished_accuracy_is_noticed(forged: Callable[[Change], Path]) -> None:
    def embellish(files: dict[str, bytes]) -> None:
        document = json.loads(files[assemble.FIGURES])
        for row in document["accuracies"]:
            row["value"] = 1.0
        files[assemble.FIGURES] = json.dumps(document).encode()

    assert failed(verify(forged(embellish))) == {"accuracy"}


def test_an_accuracy_whose_labels_were_taken_out_is_noticed(
    forged: Callable[[Change], Path],
) -> None:
    verification = verify(forged(lambda files: files.pop(assemble.TEST_LABELS) and None))
    assert failed(verification) == {"accuracy"}
    assert verification.accuracy is None


def test_an_embellished_instruction_count_is_noticed(forged: Callable[[Change], Path]) -> None:
    def embellish(files: dict[str, bytes]) -> None:
        document = json.loads(files[assemble.FIGURES])
        document["layers"][0]["instructions"] -= 1
        files[assemble.FIGURES] = json.dumps(document).encode()

    assert failed(verify(forged(embellish))) == {"instructions"}


@pytest.mark.parametrize(
    "name",
    [
        assemble.MODEL_TFLITE,
        assemble.MODEL_ONNX,
        artifact.FIRMWARE_ELF,
        artifact.FIRMWARE_LAYERS,
        assemble.TEST_INPUTS,
        assemble.TARGET,
        assemble.FIGURES,
    ],
)
def test_a_file_of_garbage_is_a_bundle_error(forged: Callable[[Change], Path], name: str) -> None:
    def replace(files: dict[str, bytes]) -> None:
        files[name] = b"garbage" * 30

    with pytest.raises(BundleError):
        verify(forged(replace))


def test_an_absent_file_is_a_bundle_error(forged: Callable[[Change], Path]) -> None:
    with pytest.raises(BundleError):
        verify(forged(lambda files: files.pop(assemble.TARGET) and None))


def _npy(array: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _weights(files: dict[str, bytes]) -> bytes:
    """The first constants of the last layer as they lie in the image."""
    image = read_image(files[artifact.FIRMWARE_ELF], (), 0, 0)
    symbol = [s for s in image.symbols.values() if s.name.endswith("_weights")][-1]
    start = symbol.address - image.load_address
    return image.bin[start : start + min(64, symbol.size_bytes)]
