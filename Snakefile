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
        PLAN.front(),


rule all_tasks:
    input:
        PLAN.front("all_tasks"),
        PLAN.front(),  # that pages of runs lead back to


onsuccess:
    ending.show(PLAN.runs, [PLAN.front(), PLAN.front("all_tasks")])
