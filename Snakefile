"""From raw geophysical data to an evaluated, documented model. The rules stand in the order of flow."""

from snakemake.utils import min_version

min_version("9.17")


container: "docker://python:3.11"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"


rule all:
    default_target: True
    input:
        "report/index.html",


rule all_tasks:
    input:
        "report/all_tasks.html",
        "report/index.html",  # that pages of runs lead back to


onsuccess:
    ending.show(PLAN.runs)
