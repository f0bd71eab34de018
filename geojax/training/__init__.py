"""Fit Flax NNX models: whole epochs in one compiled call, the same to the bit from the same seed."""
