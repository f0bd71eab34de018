"""Score the model against each baseline, with intervals from resampling whole groups."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.evaluate_run(**log.arguments(snakemake, stages.evaluate_run))
