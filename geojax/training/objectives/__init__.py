"""What a model is asked to make small, arrays to scalars under jit: supervised, reconstruction, adversarial."""

from geojax.training.objectives.supervised import balanced, cross_entropy, masked_mean_square

__all__ = ["balanced", "cross_entropy", "masked_mean_square"]
