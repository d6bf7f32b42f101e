"""A summary as a build writes it, for tests of the bundle and the report."""

from __future__ import annotations

from edgeflow.bundle.summary import (
    AccuracyRow,
    ArenaRow,
    CheckRow,
    EpochRow,
    FigureRow,
    LayerRow,
    PeakRow,
    RegionRow,
    Summary,
)
from edgeflow.figures import FigureKind, Unit

SUMMARY = Summary(
    schema_version=1,
    edgeflow_version="0.1.0",
    model="small",
    data="digits",
    target="cortex-m4",
    target_description="a <Cortex-M4> & friends",
    device="emulated",
    images=360,
    figures=(
        FigureRow(
            name="instructions per inference",
            value=123456.0,
            unit=Unit.INSTRUCTIONS,
            kind=FigureKind.SIMULATED,
            source="emulator",
        ),
    ),
    accuracies=(
        AccuracyRow(
            stage="float",
            split="test",
            value=0.99,
            images=360,
            kind=FigureKind.MEASURED,
            source="torch",
        ),
        AccuracyRow(
            stage="device",
            split="test",
            value=0.985,
            images=360,
            kind=FigureKind.SIMULATED,
            source="emulator",
        ),
    ),
    layers=(
        LayerRow(
            name="stem",
            symbol="edgeflow_layer_00_conv_2d",
            operator="CONV_2D",
            signature="CONV_2D 8x8x1",
            output_shape=(8, 8, 16),
            macs=9216,
            instructions=90000,
            weight_bytes=208,
            output_bytes=1024,
        ),
        LayerRow(
            name="head",
            symbol="edgeflow_layer_01_fully_connected",
            operator="FULLY_CONNECTED",
            signature="FULLY_CONNECTED 64x10",
            output_shape=(10,),
            macs=640,
            instructions=33000,
            weight_bytes=680,
            output_bytes=10,
        ),
    ),
    overhead_instructions=456,
    layer_kind=FigureKind.SIMULATED,
    arena_bytes=1088,
    arena_lower_bound_bytes=1088,
    arena_proven_optimal=True,
    arena_peak=PeakRow(
        first_layer=0,
        last_layer=0,
        operators="CONV_2D",
        tensors=("x", "y"),
        row_bytes=0,
        scratch_bytes=0,
    ),
    arena=(
        ArenaRow(tensor="x", offset_bytes=0, size_bytes=64, first_layer=-1, last_layer=0),
        ArenaRow(tensor="y", offset_bytes=64, size_bytes=1024, first_layer=0, last_layer=1),
    ),
    regions=(
        RegionRow(name="FLASH", capacity_bytes=1 << 20, used={"code": 9000, "weights": 888}),
        RegionRow(name="RAM", capacity_bytes=1 << 18, used={"arena": 1088, "stack": 200}),
    ),
    checks=(CheckRow(name="bit-exact", passed=True, detail="all 360 images equal"),),
    epochs=(
        EpochRow(stage="train", epoch=1, loss=2.0, accuracy=0.5),
        EpochRow(stage="train", epoch=2, loss=1.0, accuracy=0.9),
        EpochRow(stage="fine-tune", epoch=1, loss=0.5, accuracy=0.95),
    ),
)
