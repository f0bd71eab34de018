"""Write the front page: the score, baseline, interval and verdict of every run."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.write_report(**log.arguments(snakemake, stages.write_report))
