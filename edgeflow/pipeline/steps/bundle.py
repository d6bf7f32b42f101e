"""Stage bundle: the deployable artifact, only after a positive verdict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.bundle.artifact import Artifact
from edgeflow.bundle.summary import Summary
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.gate.verdict import require
from edgeflow.pipeline.config import to_toml
from edgeflow.pipeline.engines import ENGINES
from edgeflow.pipeline.plan import portable_config
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.compile import FIRMWARE_FILES, read_firmware
from edgeflow.pipeline.steps.data import PREPROCESSING
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document
from edgeflow.pipeline.steps.gate import read_scoring, read_verdict
from edgeflow.pipeline.steps.report import REPORT, SUMMARY
from edgeflow.pipeline.steps.run import ANSWERS, read_normal_scores

BUNDLE = "bundle"


def run(context: StageContext) -> None:
    """Assemble the bundle. Raises VerdictError when the gate refuses the artifact."""
    engine = ENGINES[context.plan.config.build.engine_options().engine]
    require(read_verdict(context.inputs["gate"]), engine.remark)
    from edgeflow.bundle.artifact import firmware_artifact

    compiled = context.inputs["compile"]
    sources = read_document(compiled / FIRMWARE_FILES)
    write(context, firmware_artifact(read_firmware(compiled), sources))


def write(context: StageContext, artifact: Artifact) -> None:
    """Write the bundle with an artifact."""
    from edgeflow.bundle.assemble import BundleParts, assemble
    from edgeflow.bundle.manifest import write_bundle
    from edgeflow.exchange import onnx_qdq, tflite

    plan, inputs = context.plan, context.inputs
    answers = read_arrays(inputs["run"] / ANSWERS)
    model = context.find(MODEL).read_bytes()
    parts = BundleParts(
        model_tflite=model,
        model_onnx=onnx_qdq.write(tflite.read(model)),
        artifact=artifact,
        inputs=answers["inputs"],
        expected=answers["expected"],
        labels=answers.get("labels"),
        target_json=plan.target.model_dump_json(indent=2) + "\n",
        config_toml=to_toml(portable_config(plan)),
        preprocessing_json=(inputs["data"] / PREPROCESSING).read_text(encoding="utf-8"),
        postprocessing=_postprocessing(context, answers["inputs"]),
        summary=Summary.model_validate_json((inputs["report"] / SUMMARY).read_bytes()),
        report_html=(inputs["report"] / REPORT).read_text(encoding="utf-8"),
    )
    write_bundle(
        assemble(parts), context.output / BUNDLE, target=plan.target.name, model=plan.model_name
    )


def _postprocessing(context: StageContext, inputs: NDArray[np.int8]) -> Postprocessing:
    """What the answers mean: of the data's task, on the grid of the model."""
    meaning = read_scoring(context, inputs).postprocessing
    return meaning.model_copy(update={"normal": read_normal_scores(context.inputs["run"])})
