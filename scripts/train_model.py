"""Train the model and keep the weights of the best epoch of each member."""

from geojax import log, stages

with log.to_file(snakemake.log[0]):
    stages.train_model(**log.arguments(snakemake, stages.train_model))
