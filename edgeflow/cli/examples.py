"""Examples that `--help` shows below the options. `\\b` keeps the lines of a paragraph."""

from __future__ import annotations

ROOT = """\
\b
Examples:
  edgeflow build --target cortex-m4
  edgeflow build --target stm32l4r5 --data photos/ --budget flash=256KiB
  edgeflow verify runs/cortex-m4/bundle
"""
BUILD = """\
\b
Examples:
  edgeflow build --target cortex-m4
  edgeflow build --target stm32l4r5 --data photos.zip --model mlperf-resnet8
  edgeflow build --model keywords.tflite --data speech/ --budget ram=64KiB
  edgeflow build --model package.module:network --budget accuracy=0.95

\b
Networks: small, mlperf-resnet8, mlperf-dscnn, mlperf-mobilenet-v1-0.25,
mlperf-autoencoder, autoencoder.

\b
Other options (epochs, learning rate, split, image size) stand in
edgeflow.toml; `edgeflow init` writes one with every option and its default.
Exit codes: 0 done, 1 the gate refuses the artifact, 2 usage, 3 input,
4 a tool is missing, 5 it cannot fit, 6 busy, 7 the device failed, 8 storage,
9 training diverged, 130 interrupted (the same command goes on).
"""
PROFILE = """\
\b
Examples:
  edgeflow profile --target cortex-m4 --network mlperf-resnet8 --input 32x32x3 --outputs 10
  edgeflow profile --target cortex-m7 --network runs/cortex-m4/network.json

\b
An interrupted run goes on where it was; rows that are there are not measured
again. A folder of your own is read by builds where EDGEFLOW_PROFILES_PATH
names it.
"""
