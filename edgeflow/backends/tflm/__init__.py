"""Firmware from a user's own checkouts of TensorFlow Lite Micro and CMSIS-NN, to compare with.

Nothing of those projects lies here: what is ours is a wrapper with the API of generated code.
"""
