"""List every example with its part, group, time and split; fail if anything leaks from split to split."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.index_examples(**log.arguments(snakemake, stages.index_examples))
