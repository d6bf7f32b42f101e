from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgeflow.errors import ConfigError, UsageError
from edgeflow.pipeline.budgets import parse_budgets
from edgeflow.pipeline.config import Config, from_values, resolve, to_toml
from edgeflow.pipeline.template import template, write_template


def write(folder: Path, text: str) -> Path:
    path = folder / "edgeflow.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_options_of_the_command_line_stand_over_those_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[build]\ntarget = "cortex-m0plus"\nmodel = "mlperf-dscnn"\n')
    config = resolve(path, {"build": {"target": "cortex-m7"}})
    assert (config.build.target, config.build.model) == ("cortex-m7", "mlperf-dscnn")


def test_the_resolved_file_gives_the_same_configuration(tmp_path: Path) -> None:
    overrides = {
        "build": {"seed": 7},
        "data": {"image_size": (12, 9), "mfcc": {"coefficients": 12}},
        "budget": {"flash_bytes": 65536, "accuracy": 0.9},
    }
    config = resolve(None, overrides)
    assert resolve(write(tmp_path, to_toml(config)), {}) == config


def test_the_seed_reaches_every_section_that_sets_none(tmp_path: Path) -> None:
    config = resolve(write(tmp_path, "[build]\nseed = 3\n[train]\nseed = 4\n"), {})
    assert (config.data.seed, config.train.seed, config.quantize.seed) == (3, 4, 3)


def test_a_seed_of_the_command_line_stands_over_those_of_a_resolved_file(tmp_path: Path) -> None:
    path = write(tmp_path, to_toml(Config()))
    config = resolve(path, {"build": {"seed": 9}})
    seeds = (config.build.seed, config.data.seed, config.train.seed, config.quantize.seed)
    assert seeds == (9, 9, 9, 9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[train]\nepoch = 3\n", ["train.epoch", "did you mean 'epochs'"]),
        ("[bild]\n", ["bild", "did you mean 'build'"]),
        ("[data.mfcc]\nmel_bin = 3\n", ["data.mfcc.mel_bin", "did you mean 'mel_bins'"]),
        ("[train]\nepochs = 0\n", ["train.epochs", "greater than or equal to 1", "0"]),
        ('[data]\ncolor = "red"\n', ["data.color", "'auto', 'gray' or 'rgb'"]),
        ("[train]\nlearning_rate = inf\n", ["train.learning_rate", "finite"]),
        ("[train]\nlearning_rate = nan\n", ["train.learning_rate", "finite"]),
        ("build = 3\n", ["build"]),
        ("[build\n", ["no valid TOML"]),
    ],
)
def test_a_bad_configuration_is_told_by_key(tmp_path: Path, text: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(write(tmp_path, text), {})
    assert all(part in caught.value.message for part in told), caught.value.message


def test_a_section_that_is_no_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a table"):
        resolve(write(tmp_path, "build = 3\n"), {"build": {"target": "cortex-m4"}})


def test_a_missing_or_unreadable_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError):
            resolve(path, {})


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.data").mkdir()
    config = resolve(write(tmp_path, '[data]\nsource = "my.data"\n'), {})
    assert Path(config.data.source) == tmp_path / "my.data"


def test_the_template_names_every_option_and_gives_the_defaults() -> None:
    values = tomllib.loads(template())
    assert from_values(values, "template") == Config()
    for section, options in Config().model_dump().items():
        assert f"[{section}]" in template()
        assert all(f"# {name} = " in template() or f".{name}]" in template() for name in options)


def test_the_template_is_never_written_over_a_file(tmp_path: Path) -> None:
    path = write_template(tmp_path / "new")
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_template(tmp_path / "new")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("flash=64KiB", {"flash_bytes": 65536}),
        ("flash=64k", {"flash_bytes": 65536}),
        ("flash=64kB", {"flash_bytes": 64000}),
        ("ram=1.5KiB", {"ram_bytes": 1536}),
        ("ram=0.5M", {"ram_bytes": 524288}),
        ("instructions=500k", {"instructions": 500_000}),
        ("instructions=1_000_000", {"instructions": 1_000_000}),
        ("accuracy=0.95", {"accuracy": 0.95}),
        ("accuracy=95%", {"accuracy": 0.95}),
        ("rmse=0.25", {"rmse": 0.25}),
        ("auc=95%", {"auc": 0.95}),
        ("latency=2ms", {"latency_seconds": 0.002}),
        ("latency=350us", {"latency_seconds": 0.00035}),
    ],
)
def test_budgets_take_units(argument: str, expected: dict[str, float]) -> None:
    assert parse_budgets([argument]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["flsh=64KiB"], "did you mean 'flash'"),
        (["flash"], "such as"),
        (["flash="], "such as"),
        (["flash=64Kib/s"], "kib"),
        (["flash=-3"], "kib"),
        (["flash=0"], "such as"),
        (["flash=1.3"], "such as"),
        (["accuracy=1.5"], "0.95"),
        (["auc=1.5"], "0.95"),
        (["rmse=0"], "unit of the target"),
        (["rmse=3kg"], "a number; such as"),
        (["instructions=5KiB"], "k"),
        (["latency=3"], "a number, with one of: s, ms, us"),
        (["latency=0ms"], "the time of one inference"),
        (["flash=1", "flash=2"], "keep the one"),
    ],
)
def test_bad_budgets_name_what_is_accepted(arguments: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_budgets(arguments)
    assert told in caught.value.hint


def test_a_wrong_seed_is_told_once() -> None:
    with pytest.raises(ConfigError) as caught:
        from_values({"build": {"seed": -1}}, "the options")
    assert caught.value.message.count("seed") == 1
    with pytest.raises(ConfigError, match=r"data\.seed"):
        from_values({"data": {"seed": -1}}, "the options")
