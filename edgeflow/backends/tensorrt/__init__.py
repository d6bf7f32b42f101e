"""Projects for TensorRT, whose compiler lies on the board: a float model and a build script.

Nothing of it runs here, so that a bundle says so.
"""
