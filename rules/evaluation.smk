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
        baselines=PLAN.baselines_of_run,
        rival=PLAN.rival_of_run,
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


rule write_page:
    input:
        scores="results/{run}/scores.json",
    output:
        page="report/runs/{run}.html",
    log:
        "logs/{run}/write_page.log",
    benchmark:
        "logs/{run}/write_page.tsv"
    params:
        name="{run}",
        settings=PLAN.configuration_of_run,
        code=PLAN.code("write_page"),
    script:
        "../scripts/write_page.py"


rule write_report:
    input:
        scores=PLAN.scores_of_report,
        pages=PLAN.pages_of_report,
    output:
        page="report/{selection}.html",
    log:
        "logs/write_report/{selection}.log",
    benchmark:
        "logs/write_report/{selection}.tsv"
    params:
        titles=PLAN.titles_of_report,
        code=PLAN.code("write_report"),
    script:
        "../scripts/write_report.py"
