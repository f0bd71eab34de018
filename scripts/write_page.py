"""Write the page of a run: question, data, split, learning, scores, pictures."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.write_page(**log.arguments(snakemake, stages.write_page))
