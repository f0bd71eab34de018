"""Bring the raw files of a dataset here, checked against the digest that the configuration gives."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.fetch_raw(**log.arguments(snakemake, stages.fetch_raw))
