#!/bin/sh
# Every check that CI makes besides the tests.
set -eu
ruff check .
ruff format --check .
snakefmt --check Snakefile rules
pyright
lint-imports
snakemake --lint
geojax check
