"""What may stand in `config/datasets/*.yaml` and `config/runs/*.yaml`."""

from geojax.config.dataset import Dataset
from geojax.config.run import TINY, Model, Run, Training, shrunk
from geojax.config.section import Section, load

__all__ = ["TINY", "Dataset", "Model", "Run", "Section", "Training", "load", "shrunk"]
