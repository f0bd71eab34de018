"""Apply the scaling to one part."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.normalize_part(**log.arguments(snakemake, stages.normalize_part))
