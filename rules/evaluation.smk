rule fit_baselines:
    input:
        parts=PLAN.normalized_of_run,
        scaling=PLAN.scaling_of_run,
        index="results/{run}/index.manifest.json",
    output:
        manifest="results/{run}/baselines.manifest.json",
        zarr=directory("results/{run}/baselines.zarr"),
    log:
        "logs/{run}/fit_baselines.log",
    benchmark:
        "logs/{run}/fit_baselines.tsv"
    threads: 1
    params:
        task=PLAN.run_section("task"),
        examples=PLAN.run_section("examples"),
        resident=PLAN.run_section("training.resident"),
        code=PLAN.code("fit_baselines"),
    script:
        "../scripts/fit_baselines.py"


rule evaluate_run:
    input:
        parts=PLAN.normalized_of_run,
        scaling=PLAN.scaling_of_run,
        index="results/{run}/index.manifest.json",
        predictions="results/{run}/predictions.manifest.json",
        baselines="results/{run}/baselines.manifest.json",
    output:
        scores="results/{run}/scores.json",
        table="results/{run}/scores.parquet",
    log:
        "logs/{run}/evaluate_run.log",
    benchmark:
        "logs/{run}/evaluate_run.tsv"
    params:
        run="{run}",
        task=PLAN.run_section("task"),
        examples=PLAN.run_section("examples"),
        resident=PLAN.run_section("training.resident"),
        evaluation=PLAN.run_section("evaluation"),
        code=PLAN.code("evaluate_run"),
    script:
        "../scripts/evaluate_run.py"


rule write_report:
    input:
        scores=expand("results/{run}/scores.json", run=PLAN.runs),
    output:
        page="report/index.html",
    log:
        "logs/write_report.log",
    benchmark:
        "logs/write_report.tsv"
    params:
        runs=PLAN.report_sections(),
        code=PLAN.code_of_report(),
    script:
        "../scripts/write_report.py"
