from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.errors import ProfileFileError, UnknownNameError
from edgeflow.profiles import registry

PROFILE: dict[str, Any] = {
    "schema_version": 1,
    "name": "portable",
    "header": {
        "target": "cortex-m4",
        "device": "Cortex-M4 in an emulator",
        "runtime": "edgeflow portable-c",
        "compiler": "zig cc",
        "flags": ["-Os"],
        "date": "2026-01-31",
        "protocol": "one inference for each row",
        "kind": "simulated",
        "unit": "instructions",
        "command": "edgeflow build",
    },
    "rows": [
        {
            "signature": "CONV_2D in=1x8x8x3 out=1x8x8x16",
            "precision": "w8a8",
            "n": 1,
            "median": 1000.0,
            "p95": 1000.0,
            "dispersion": 0.0,
            "flash_bytes": 500,
            "ram_bytes": 1024,
        }
    ],
}


def write(folder: Path, profile: Any, name: str = "portable") -> Path:
    path = folder / "cortex-m4" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile if isinstance(profile, str) else json.dumps(profile))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.SEARCH_PATH_VARIABLE, str(tmp_path))
    return tmp_path


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    profile = json.loads(json.dumps(PROFILE))
    place: Any = profile
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return profile  # type: ignore[no-any-return]


def test_a_profile_is_found_by_target_and_name(folder: Path) -> None:
    path = write(folder, PROFILE)
    assert "cortex-m4/portable" in registry.names()
    assert registry.load("cortex-m4/portable") == registry.load(str(path))
    assert registry.load("cortex-m4/portable").rows[0].median == 1000.0


def test_an_unknown_name_gets_the_closest_one(folder: Path) -> None:
    write(folder, PROFILE)
    with pytest.raises(UnknownNameError) as caught:
        registry.load("cortex-m4/portabel")
    assert "cortex-m4/portable" in caught.value.hint


@pytest.mark.parametrize("name", ["../portable", "cortex-m4/../x", "/etc/passwd", "", "cortex-m4"])
def test_a_name_never_leaves_the_directories(folder: Path, name: str) -> None:
    with pytest.raises(UnknownNameError):
        registry.load(name)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (changed("rows", 0, "median", value=-1), "rows[0].median"),
        (changed("rows", 0, "p95", value=1), "p95 below the median"),
        (changed("rows", value=PROFILE["rows"] * 2), "listed twice"),
        (changed("header", "unit", value="parsecs"), "header.unit"),
        (changed("header", "colour", value="red"), "header.colour"),
        (changed("schema_version", value=2), "schema_version"),
        (changed("name", value="other"), "the file's name says 'portable'"),
        ("{", "no valid JSON"),
        ('{"rows": Infinity}', "Infinity"),
        ("[" * 100_000, "no valid JSON"),
    ],
)
def test_a_bad_file_is_told_by_key(folder: Path, profile: Any, told: str) -> None:
    path = write(folder, profile)
    with pytest.raises(ProfileFileError) as caught:
        registry.validate(path)
    assert told in caught.value.message
    assert str(path) in caught.value.message


def test_a_profile_in_the_folder_of_another_target_is_told(folder: Path) -> None:
    write(folder, changed("header", "target", value="cortex-m7"))
    with pytest.raises(ProfileFileError, match=r"header\.target"):
        registry.load("cortex-m4/portable")


def test_shipped_profiles_are_valid() -> None:
    for name in registry.names():
        assert registry.load(name).header.target == name.split("/")[0]
