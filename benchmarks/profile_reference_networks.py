"""Write a target's shipped profile: `python -m benchmarks.profile_reference_networks --target X`.

Every layer of the reference networks runs on the target's device; rows are keyed by signature.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.reference_networks import REFERENCES, SEED, Reference, lowered
from edgeflow.errors import EdgeflowError
from edgeflow.figures import Unit
from edgeflow.pipeline.profiling import (
    LayerRun,
    NetworkRun,
    compiler,
    flags,
    rows,
    run_layers,
    runtime,
)
from edgeflow.pipeline.target_bits import weight_bits
from edgeflow.profiles.schema import SCHEMA_VERSION, Header, Profile
from edgeflow.targets import registry
from edgeflow.targets.schema import Target

NAME = "reference-networks"
INPUTS = 5
_FOLDER = Path(__file__).resolve().parent.parent / "profiles"
_PROTOCOL = (
    f"Every layer of {', '.join(r.network for r in REFERENCES)}: untrained networks (seed {SEED}) "
    f"with grids from random inputs, {INPUTS} random inputs each; layers with weights once for "
    "each width of weights that the target runs. Instructions from a layer's "
    "entry to its return, the functions that it calls included; instructions hardly depend on "
    "values, so weights and inputs need no training. Median, 95th percentile and interquartile "
    "range over median of all runs of layers with that signature. flash_bytes: the layer's "
    "constants and its own function; the kernels, which layers share, are not counted. ram_bytes: "
    "the layer's inputs, its output and the scratch of its kernel."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the profiles of the targets; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile_reference_networks", description=__doc__
    )
    parser.add_argument("--target", action="append", metavar="NAME", required=True)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="default: profiles/")
    options = parser.parse_args(arguments)
    try:
        for name in options.target:
            made = profile(registry.load(name), REFERENCES, options.date)
            path = options.folder / made.header.target / f"{NAME}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = made.model_dump_json(indent=1) + "\n"
            path.write_text(text, encoding="utf-8", newline="\n")
            sys.stderr.write(f"{path}: {len(made.rows)} rows\n")
    except EdgeflowError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return int(error.exit_code)
    return 0


def profile(target: Target, references: Sequence[Reference], day: date) -> Profile:
    """The profile of a target from runs on its device: the same every time but for `day`."""
    layers: list[LayerRun] = []
    device: NetworkRun | None = None
    for reference in references:
        for bits in weight_bits(target):
            run = run_layers(target, lowered(reference, bits), INPUTS, SEED)
            device = run
            layers += [layer for layer in run.layers if bits == 8 or layer.precision != "w8a8"]
    assert device is not None, "no reference networks"
    return Profile(
        schema_version=SCHEMA_VERSION,
        name=NAME,
        header=Header(
            target=target.name,
            device=device.source,
            runtime=runtime(target),
            compiler=compiler(),
            flags=flags(target),
            date=day,
            protocol=_PROTOCOL,
            kind=device.kind,
            unit=Unit.INSTRUCTIONS,
            command=shlex.join(
                ["python", "-m", "benchmarks.profile_reference_networks", "--target", target.name]
            ),
        ),
        rows=tuple(rows(layers)),
    )


if __name__ == "__main__":
    sys.exit(main())
