"""Turn one part of the raw data into a Zarr store."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.ingest_part(**log.arguments(snakemake, stages.ingest_part))
