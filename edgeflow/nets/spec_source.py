"""A network's specification as a user names it: a registered name, a file, or Python code."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from edgeflow.errors import ConfigError, ModelError
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.registry import NETWORKS, specify
from edgeflow.nets.specs import ShapeHWC
from edgeflow.nets.user_model import imported

ACCEPTED = (
    "accepted are the name of a registered network, a .json file with a network's cells (such as a "
    "build's network.json), and package.module:attribute (a NetworkSpec, or a function that gives "
    "one)"
)


def load_spec(reference: str, input_shape: ShapeHWC | None, outputs: int | None) -> NetworkSpec:
    """The specification that `reference` names; a registered one needs input shape and outputs.

    Raises ModelError where there is none, ConfigError where shape or outputs are missing.
    """
    if reference in NETWORKS:
        if input_shape is None or outputs is None:
            raise ConfigError(
                f"the network {reference} needs the shape of its input and its outputs",
                hint="give --input HxWxC and --outputs N, such as --input 32x32x3 --outputs 10",
            )
        return specify(reference, input_shape, outputs)
    if reference.endswith(".json"):
        return _from_file(Path(reference))
    if ":" not in reference:
        raise ModelError(
            f"there is no network {reference!r}",
            hint=f"{ACCEPTED}; registered: {', '.join(sorted(NETWORKS))}",
        )
    found = imported(reference)
    spec = found() if callable(found) and not isinstance(found, NetworkSpec) else found
    if not isinstance(spec, NetworkSpec):
        raise ModelError(f"{reference} gives a {type(spec).__name__}", hint=ACCEPTED)
    return spec


def _from_file(path: Path) -> NetworkSpec:
    try:
        return NetworkSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", hint=ACCEPTED) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ModelError(
            f"{path} is no network: {place}: {problem['msg']}", hint=ACCEPTED
        ) from error
