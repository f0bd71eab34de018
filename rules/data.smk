rule fetch_raw:
    output:
        manifest="data/{dataset}/raw/{lot}.manifest.json",
        directory=directory("data/{dataset}/raw/{lot}"),
    log:
        "logs/{dataset}/fetch_raw/{lot}.log",
    benchmark:
        "logs/{dataset}/fetch_raw/{lot}.tsv"
    params:
        order=PLAN.order_of_lot,
    script:
        "../scripts/fetch_raw.py"


rule ingest_part:
    input:
        unpack(house.together(raw=PLAN.raw_of_part, shared=PLAN.shared_of_part)),
    output:
        manifest="data/{dataset}/parts/{part}.manifest.json",
        zarr=directory("data/{dataset}/parts/{part}.zarr"),
    log:
        "logs/{dataset}/ingest_part/{part}.log",
    benchmark:
        "logs/{dataset}/ingest_part/{part}.tsv"
    params:
        part="{part}",
        settings=house.together(
            selection=PLAN.selection_of_part,
            reader=PLAN.dataset_section("reader"),
            quality=PLAN.dataset_section("quality"),
            chunks=PLAN.dataset_section("chunks"),
            names=PLAN.shared_names,
            state=PLAN.state_of_raw,
            code=PLAN.code("ingest_part"),
        ),
    script:
        "../scripts/ingest_part.py"


rule fit_scaling:
    input:
        parts="data/{dataset}/reference.json",
    output:
        manifest="data/{dataset}/scaling.manifest.json",
        zarr=directory("data/{dataset}/scaling.zarr"),
    log:
        "logs/{dataset}/fit_scaling.log",
    benchmark:
        "logs/{dataset}/fit_scaling.tsv"
    params:
        scaling=PLAN.dataset_section("scaling"),
        kept="data/{dataset}/moments",
        code=PLAN.code("fit_scaling"),
    script:
        "../scripts/fit_scaling.py"


rule normalize_part:
    input:
        part="data/{dataset}/parts/{part}.manifest.json",
        scaling="data/{dataset}/scaling.manifest.json",
    output:
        manifest="data/{dataset}/normalized/{part}.manifest.json",
        zarr=directory("data/{dataset}/normalized/{part}.zarr"),
    log:
        "logs/{dataset}/normalize_part/{part}.log",
    benchmark:
        "logs/{dataset}/normalize_part/{part}.tsv"
    params:
        settings=house.together(
            chunks=PLAN.dataset_section("chunks"),
            code=PLAN.code("normalize_part"),
        ),
    script:
        "../scripts/normalize_part.py"


rule gather_parts:
    input:
        parts=PLAN.gathered,
    output:
        listed="data/{dataset}/{kind}.json",
    log:
        "logs/{dataset}/gather_parts/{kind}.log",
    benchmark:
        "logs/{dataset}/gather_parts/{kind}.tsv"
    wildcard_constraints:
        kind="parts|reference|normalized",
    params:
        code=PLAN.code("gather_parts"),
    script:
        "../scripts/gather_parts.py"
