"""Fit and tune the classical methods on the same examples, and predict the test examples."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.fit_baselines(**log.arguments(snakemake, stages.fit_baselines))
