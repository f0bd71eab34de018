"""Predict the validation and test examples."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.predict(**log.arguments(snakemake, stages.predict))
