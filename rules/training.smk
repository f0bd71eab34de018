rule index_examples:
    input:
        parts=PLAN.parts_of_run,
    output:
        manifest="results/{run}/index.manifest.json",
        index="results/{run}/index.parquet",
    log:
        "logs/{run}/index_examples.log",
    benchmark:
        "logs/{run}/index_examples.tsv"
    params:
        task=PLAN.run_section("task"),
        examples=PLAN.run_section("examples"),
        splits=PLAN.splits_of_run,
        code=PLAN.code("index_examples"),
    script:
        "../scripts/index_examples.py"


rule train_model:
    input:
        parts=PLAN.normalized_of_run,
        scaling=PLAN.scaling_of_run,
        index="results/{run}/index.manifest.json",
    output:
        manifest="results/{run}/model.manifest.json",
        zarr=directory("results/{run}/model.zarr"),
        history="results/{run}/history.parquet",
    log:
        "logs/{run}/train_model.log",
    benchmark:
        "logs/{run}/train_model.tsv"
    priority: 10
    threads: 1
    params:
        task=PLAN.run_section("task"),
        examples=PLAN.run_section("examples"),
        model=PLAN.run_section("model"),
        training=PLAN.run_section("training"),
        checkpoints="results/{run}/checkpoints",
        finished="results/{run}/finished",
        code=PLAN.code("train_model"),
    script:
        "../scripts/train_model.py"


rule predict:
    input:
        parts=PLAN.normalized_of_run,
        scaling=PLAN.scaling_of_run,
        index="results/{run}/index.manifest.json",
        weights="results/{run}/model.manifest.json",
    output:
        manifest="results/{run}/predictions.manifest.json",
        zarr=directory("results/{run}/predictions.zarr"),
    log:
        "logs/{run}/predict.log",
    benchmark:
        "logs/{run}/predict.tsv"
    params:
        task=PLAN.run_section("task"),
        examples=PLAN.run_section("examples"),
        model=PLAN.run_section("model"),
        batch_size=PLAN.run_section("training.batch_size"),
        resident=PLAN.run_section("training.resident"),
        device=PLAN.run_section("training.device"),
        finished="results/{run}/finished",
        code=PLAN.code("predict"),
    script:
        "../scripts/predict.py"
