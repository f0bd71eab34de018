"""Fit centre and spread on the reference parts."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.fit_scaling(**log.arguments(snakemake, stages.fit_scaling))
