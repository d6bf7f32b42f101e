"""Models for engines that the target's system brings: LiteRT, ONNX Runtime."""
