"""The configuration of a build: the rooms' options in one frozen value, and its TOML form."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgeflow.backends.engine import Engine, EngineOptions
from edgeflow.backends.firmware.options import MemoryOptions
from edgeflow.backends.fpga.style import FpgaStyle
from edgeflow.data.options import DataOptions
from edgeflow.errors import ConfigError
from edgeflow.gate.budget import Budget
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.grow.options import GrowOptions
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.search.options import SearchOptions
from edgeflow.train.distill_options import DistillOptions
from edgeflow.train.options import TrainOptions
from edgeflow.train.prune_options import PruneOptions

CONFIG_FILE = "edgeflow.toml"
RESOLVED_FILE = "edgeflow.resolved.toml"
FIRST_GROWN = "seed"  # the network that growth starts from, unless [build] model names one
SEEDED_SECTIONS = ("data", "train", "quantize")
_PATHS = (
    ("data", "source"),
    ("build", "model"),
    ("build", "weights"),
    ("distill", "teacher"),
    ("build", "target"),
    ("build", "tflm_path"),
    ("build", "cmsis_nn_path"),
    ("build", "tflm_include"),
)
_LARGEST_FILE_BYTES = 1 << 20


class BuildOptions(BaseModel):
    """What is built: target, network (name, file or `module:attribute`), its weights, and seed.

    `weights` is a file for a network given as `module:attribute`, which is then not trained. `seed`
    is the seed of every section that does not set its own. `engine` "tflm" builds with the user's
    checkouts at `tflm_path` and `cmsis_nn_path`, and further folders of headers for them; None is
    edgeflow's own for microcontrollers, and on Linux the fastest of all. `device` is a board that
    runs the artifact, ssh://[user@]host[:port]. `style` and `lanes` are for FPGAs;
    None is folded, with the target's lanes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str = Field(default="cortex-m4", min_length=1)
    model: str = Field(default="small", min_length=1)
    weights: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    engine: Engine | None = None
    tflm_path: str | None = None
    cmsis_nn_path: str | None = None
    tflm_include: tuple[str, ...] = ()
    device: str | None = None
    style: FpgaStyle | None = None
    lanes: Literal["auto", 2, 4, 8, 16, 32, 64, 128] | None = None

    @model_validator(mode="after")
    def _lanes_are_of_folded_designs(self) -> BuildOptions:
        if self.lanes is not None and self.style is FpgaStyle.SPATIAL:
            raise ValueError("lanes: a network in space has none")
        return self

    @model_validator(mode="after")
    def _paths_belong_to_their_engine(self) -> BuildOptions:
        paths = {"tflm_path": self.tflm_path, "cmsis_nn_path": self.cmsis_nn_path}
        absent = [name for name, path in paths.items() if not path]
        if self.engine is Engine.TFLM and absent:
            raise ValueError(f"engine = 'tflm' needs {' and '.join(absent)}")
        given = [name for name, path in paths.items() if path]
        given += ["tflm_include"] if self.tflm_include else []
        if self.engine is not Engine.TFLM and given:
            raise ValueError(f"{', '.join(given)}: only for engine = 'tflm'")
        return self

    def engine_options(self) -> EngineOptions:
        """What the engine takes that is made of sources; those of a system take none."""
        made = Engine.TFLM if self.engine is Engine.TFLM else Engine.EDGEFLOW
        return EngineOptions(made, self.tflm_path, self.cmsis_nn_path, self.tflm_include)


class Config(BaseModel):
    """Every option of a build; each section belongs to the room of its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    build: BuildOptions = BuildOptions()
    data: DataOptions = DataOptions()
    train: TrainOptions = TrainOptions()
    grow: GrowOptions = GrowOptions()
    narrow: NarrowOptions = NarrowOptions()
    distill: DistillOptions = DistillOptions()
    prune: PruneOptions = PruneOptions()
    search: SearchOptions = SearchOptions()
    quantize: QuantizeOptions = QuantizeOptions()
    memory: MemoryOptions = MemoryOptions()
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _one_way_to_train(self) -> Config:
        asked = {
            "[grow] enabled": self.grow.enabled,
            "[narrow] width > 1": self.narrow.width > 1,
            "[distill] teacher": self.distill.teacher is not None,
            "[train] seeds or learning_rates": self.train.trains_many,
            "[search] enabled": self.search.enabled,
        }
        ways = [name for name, is_asked in asked.items() if is_asked]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)}: a build does one of them")
        return self

    @model_validator(mode="after")
    def _a_search_has_limits_and_its_own_bits(self) -> Config:
        if not self.search.enabled:
            return self
        budget = self.budget
        if budget.instructions is budget.flash_bytes is budget.ram_bytes is None:
            raise ValueError("[search] needs a budget of instructions, flash_bytes or ram_bytes")
        if self.prune.sparsity > 0:
            raise ValueError("[search] and [prune] sparsity > 0: a build does one of them")
        quantize = self.quantize
        if quantize.layer_weight_bits or quantize.first_and_last_weight_bits is not None:
            raise ValueError("[search] chooses the bits of layers; leave them out of [quantize]")
        return self

    @model_validator(mode="after")
    def _growth_starts_small(self) -> Config:
        if not self.grow.enabled or "model" in self.build.model_fields_set:
            return self
        build = self.build.model_copy(update={"model": FIRST_GROWN})
        return self.model_copy(update={"build": build})


Values = Mapping[str, Mapping[str, Any]]


def resolve(path: Path | None, overrides: Values) -> Config:
    """The configuration of a file (none: defaults) with `overrides`, by section, over it.

    Relative paths in a file are relative to the file. Raises ConfigError, which names the key,
    what is allowed and the closest name.
    """
    values = {} if path is None else _with_paths_of_file(read_values(path), path.parent)
    for section, options in overrides.items():
        if section == "build" and "seed" in options:
            values = _without_seeds(values)
        values[section] = {**_table(values, section, path), **options}
    return from_values(values, str(path) if path else "the options")


def from_values(values: Mapping[str, Any], origin: str) -> Config:
    """Check values against the options; `origin` names their source in messages."""
    build = values.get("build", {})
    seed = build.get("seed") if isinstance(build, Mapping) else None
    _refuse_non_finite(values, origin)
    seeded = dict(values)
    if seed is not None:
        for section in SEEDED_SECTIONS:
            options = seeded.get(section, {})
            if isinstance(options, Mapping):
                seeded[section] = {"seed": seed, **options}
    try:
        return Config.model_validate(seeded)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = [_describe(problem) for problem in problems if _is_own(problem, values)]
        raise ConfigError(
            f"{origin} cannot be used:\n" + "\n".join(f"  {line}" for line in lines),
            hint="`edgeflow init` writes a file with every option and its default",
        ) from error


def read_values(path: Path) -> dict[str, Any]:
    """The raw values of a TOML file."""
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise ConfigError(f"{path} is larger than {_LARGEST_FILE_BYTES} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}",
            hint="check the path, or write one with `edgeflow init`",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is no valid TOML: {error}", hint="correct the file at that place"
        ) from error


def to_toml(config: Config) -> str:
    """Every option with the value used; feeding it back gives an equal configuration."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def _refuse_non_finite(values: Mapping[str, Any], origin: str, place: str = "") -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            _refuse_non_finite(value, origin, f"{place}{key}.")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(
                f"{origin} cannot be used:\n  {place}{key}: must be finite (it is {value})",
                hint="leave the key out to use its default",
            )


def _table(values: Mapping[str, Any], section: str, path: Path | None) -> Mapping[str, Any]:
    table = values.get(section, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"{path}: {section}: must be a table, written [{section}]")
    return table


def _without_seeds(values: Mapping[str, Any]) -> dict[str, Any]:
    """A seed of the command line replaces those that a file gives to single sections."""
    return {
        section: {k: v for k, v in options.items() if k != "seed"}
        if section in SEEDED_SECTIONS and isinstance(options, Mapping)
        else options
        for section, options in values.items()
    }


def _with_paths_of_file(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Values with each name that is a file or folder beside the configuration as its full path."""
    placed = dict(values)
    for section, key in _PATHS:
        options = placed.get(section)
        if not isinstance(options, Mapping) or key not in options:
            continue
        given = options[key]
        if isinstance(given, list):
            found: Any = [_path_of_file(name, folder) for name in given]
        else:
            found = _path_of_file(given, folder)
        placed[section] = {**options, key: found}
    return placed


def _path_of_file(name: Any, folder: Path) -> Any:
    """The full path of what a name means beside a configuration file; else the name as it is."""
    if isinstance(name, str) and _looks_like_path(name) and (folder / name).exists():
        return str((folder / name).absolute())
    return name


def _looks_like_path(name: str) -> bool:
    """Whether a name has a separator or a suffix; bare names are those of registries."""
    return any(character in name for character in "/\\.")


def _is_own(problem: Any, values: Mapping[str, Any]) -> bool:
    """Whether a problem is one of a given value, and not of the seed handed down by [build]."""
    section, *rest = problem["loc"] or ("",)
    if section not in SEEDED_SECTIONS or rest != ["seed"]:
        return True
    options = values.get(section, {})
    return isinstance(options, Mapping) and "seed" in options


def _describe(problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        allowed = _keys_at(location[:-1])
        close = difflib.get_close_matches(location[-1], allowed, n=1, cutoff=0.5)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        return f"{key}: there is no such key{guess} (allowed here: {', '.join(allowed)})"
    message = problem["msg"].removeprefix("Value error, ")
    shown = problem["input"]
    value = f" (it is {shown!r})" if isinstance(shown, str | int | float | bool) else ""
    return f"{key}: {message}{value}" if key else message


def _keys_at(location: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
