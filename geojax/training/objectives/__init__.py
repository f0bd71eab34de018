"""What a model is asked to make small, arrays to scalars under jit: supervised, reconstruction, adversarial."""

from geojax.training.objectives.adversarial import dcgan, hinge, wgan_gp
from geojax.training.objectives.clustering import sharpening
from geojax.training.objectives.heat_maps import circle_loss
from geojax.training.objectives.reconstruction import (
    evidence_lower_bound,
    kl_divergence,
    log_error,
    masked_huber,
    masked_reconstruction,
)
from geojax.training.objectives.supervised import balanced, cross_entropy, masked_mean_square

__all__ = [
    "balanced",
    "circle_loss",
    "cross_entropy",
    "dcgan",
    "evidence_lower_bound",
    "hinge",
    "kl_divergence",
    "log_error",
    "masked_huber",
    "masked_mean_square",
    "masked_reconstruction",
    "sharpening",
    "wgan_gp",
]
