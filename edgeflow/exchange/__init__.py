"""Readers and writers between the integer graph and .tflite or .onnx files."""
