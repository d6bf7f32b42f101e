"""The final training that all networks of a comparison get alike, and the int8 network after it.

Results are kept in a folder, so that a benchmark of hours goes on where it was interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.exchange import tflite
from edgeflow.graph.ir import Graph
from edgeflow.lower.export import lower
from edgeflow.nets import network as networks
from edgeflow.nets.network import NetworkSpec
from edgeflow.progress import Progress
from edgeflow.quantize.flow import quantize
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.train import weights
from edgeflow.train.distill import by_logits
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.guidance import BY_TARGETS, Guidance
from edgeflow.train.options import Augmentation, TrainOptions

TEMPERATURE = 4.0
SOFT_WEIGHT = 0.7


@dataclass(frozen=True)
class Budget:
    """What every network of a comparison is trained with; `augmentation` suits the data."""

    epochs: int
    quantized_epochs: int
    augmentation: tuple[Augmentation, ...]
    batch_size: int = 64

    def float_options(self, seed: int) -> TrainOptions:
        """Options of float training."""
        return TrainOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            augmentation=self.augmentation,
            seed=seed,
            sanity_checks=False,
        )

    def integer_options(self, seed: int, layer_bits: Mapping[str, int]) -> QuantizeOptions:
        """Options of quantization and of fine-tuning after it."""
        return QuantizeOptions(
            epochs=self.quantized_epochs,
            batch_size=self.batch_size,
            layer_weight_bits=dict(layer_bits) or None,
            seed=seed,
        )


@dataclass(frozen=True, eq=False)
class Contestant:
    """A network before its final training: weights as they are, and the bits of its layers.

    `taught_by` teaches in the final training; None trains by labels alone.
    """

    spec: NetworkSpec
    module: nn.Module
    layer_bits: Mapping[str, int]
    taught_by: nn.Module | None = None


def from_scratch(spec: NetworkSpec, seed: int) -> Contestant:
    """An untrained network of 8-bit weights."""
    return Contestant(spec, networks.build(spec, seed), {})


def trained(
    contestant: Contestant,
    dataset: Dataset,
    budget: Budget,
    seed: int,
    folder: Path,
    progress: Progress,
) -> TrainedNetwork:
    """The float network after the final training."""
    path = folder / f"{_key(contestant, dataset, budget, seed)}.safetensors"
    if path.is_file():
        return weights.load(networks.build(contestant.spec, seed), path)
    found = fit(
        contestant.module,
        dataset,
        budget.float_options(seed),
        progress,
        guidance=_guidance(contestant),
        checkpoint=path.with_suffix(".checkpoint"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    weights.save(found, path)
    path.with_suffix(".checkpoint").unlink(missing_ok=True)
    return found


def integer_graph(
    contestant: Contestant,
    dataset: Dataset,
    budget: Budget,
    seed: int,
    folder: Path,
    progress: Progress,
) -> Graph:
    """The integer network after the final training and the fine-tuning of its quantized weights."""
    path = folder / f"{_key(contestant, dataset, budget, seed)}.tflite"
    if not path.is_file():
        found = trained(contestant, dataset, budget, seed, folder, progress)
        options = budget.integer_options(seed, contestant.layer_bits)
        quantized = quantize(
            found.network, dataset, options, progress, taught_by=contestant.taught_by
        )
        graph = lower(quantized.module, quantized.calibration_inputs, contestant.spec.name)
        path.write_bytes(tflite.write(graph))
    return tflite.read(path.read_bytes())


def _guidance(contestant: Contestant) -> Guidance:
    if contestant.taught_by is None:
        return BY_TARGETS
    return by_logits(contestant.taught_by, temperature=TEMPERATURE, soft_weight=SOFT_WEIGHT)


def _key(contestant: Contestant, dataset: Dataset, budget: Budget, seed: int) -> str:
    """What the result depends on, but for the versions of the code."""
    digest = hashlib.sha256()
    taught_by = contestant.taught_by
    for module in (contestant.module, *([] if taught_by is None else [taught_by])):
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    text = (contestant.spec.model_dump_json(), dict(contestant.layer_bits), dataset.name, seed)
    digest.update(json.dumps([*text, repr(budget)], sort_keys=True).encode())
    return f"{contestant.spec.name}-{seed}-{digest.hexdigest()[:16]}"
