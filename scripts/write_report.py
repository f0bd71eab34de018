"""Write one page that shows every run: question, data, split, learning, scores, pictures."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.write_report(**log.arguments(snakemake, stages.write_report))
