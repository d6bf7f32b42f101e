"""The stages of a build that searches."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.pipeline.stage import Stage
from edgeflow.pipeline.stages import DATA, GROW, QUANTIZE, TRAIN, to_bundle
from edgeflow.pipeline.steps import pool, search, searched, searched_quantize

_SEARCHED = (
    *TRAIN.modules,
    "edgeflow.lower",
    "edgeflow.pipeline.steps.pool",
    "edgeflow.pipeline.steps.train",
    "edgeflow.pipeline.target_bits",
    "edgeflow.quantize",
    "edgeflow.search",
    "edgeflow.targets",
)

POOL = Stage(
    name="pool",
    run=pool.run,
    reads=("data", pool.DENSE),
    options=("model", "seed", "space", "pool"),
    modules=_SEARCHED,
    packages=TRAIN.packages,
)

SCORES = replace(POOL, name="scores", run=pool.run_scores, reads=(*POOL.reads, "pool"))

SEARCH = Stage(
    name="search",
    run=search.run,
    reads=("data", pool.DENSE, "pool", "scores"),
    options=("model", "seed", "pool", "search", "target", "search limits"),
    modules=(
        *_SEARCHED,
        "edgeflow.backends",
        "edgeflow.devices",
        "edgeflow.grow.cost",
        "edgeflow.lower",
        "edgeflow.pipeline.engines",
        "edgeflow.pipeline.network_cost",
        "edgeflow.pipeline.search_costs",
        "edgeflow.pipeline.searching",
        "edgeflow.pipeline.steps.generate",
        "edgeflow.profiles",
        "edgeflow.targets",
    ),
    packages=(*GROW.packages, "scipy"),
)

SEARCHED = Stage(
    name="train",
    run=searched.run,
    reads=("data", pool.DENSE, "pool", "search"),
    options=("model", "seed", "train", "pool", "search", "space"),
    modules=_SEARCHED,
    packages=TRAIN.packages,
)

SEARCHED_QUANTIZE = Stage(
    name="quantize",
    run=searched_quantize.run,
    reads=(*QUANTIZE.reads, pool.DENSE, "search"),
    options=(*QUANTIZE.options, "space"),
    modules=(*QUANTIZE.modules, *_SEARCHED, "edgeflow.pipeline.steps.quantize"),
    packages=QUANTIZE.packages,
)

SEARCHED_STAGES = (
    DATA,
    replace(TRAIN, name=pool.DENSE),
    POOL,
    SCORES,
    SEARCH,
    SEARCHED,
    SEARCHED_QUANTIZE,
    *to_bundle("quantize", ("data", "train", "quantize", "search")),
)
