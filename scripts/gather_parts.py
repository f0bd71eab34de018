"""List many parts in one file, with the digests of their manifests."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.gather_parts(**log.arguments(snakemake, stages.gather_parts))
