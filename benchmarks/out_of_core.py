"""Peak memory of every stage on a data set of four times a stated limit: synthetic records, the real stages.

Run it anywhere with room on the disk (about three times the data): python benchmarks/out_of_core.py [--limit-gb 1.5]

Blocks of stations with P and S onsets stand in for parts that a reader made, so that the data can be as large as
wanted; ingest_part is measured on a miniSEED file as large as one of them. Each stage runs in a process of its own;
its peak is the ru_maxrss that the system tells when it has ended. A stage of many jobs runs them all in one process,
which holds no less than any job would.
"""

import argparse
import inspect
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RATE, SAMPLES, STATIONS, P, S = 250.0, 40_000, 100, 6_000, 6_500
PART_BYTES = STATIONS * 3 * SAMPLES * 4
RUN = {
    "dataset": "made", "task": "seismic_phases", "title": "Out of core",
    "examples": {"train_windows": 1, "evaluation_windows": 1},
    "model": {"name": "cnn", "width": 8, "hidden": 32},
    "training": {"epochs": 5, "steps": 8, "batch_size": 64, "learning_rate": 5e-3},
    "evaluation": {"resamples": 200},
}  # fmt: skip


def make_part(place: int, path: Path) -> None:
    """A block of stations as geojax.data.readers.pickled_stream would give it."""
    import xarray as xr

    from geojax import store

    generator = np.random.default_rng(place)
    records = generator.integers(-20, 21, (STATIONS, 3, SAMPLES), "int8").astype("float32")
    for onset, component, period in ((P, 2, 20), (S, 0, 35)):
        wave = 200 * np.exp(-np.arange(3000) / 600) * np.sin(2 * np.pi * np.arange(3000) / period)
        records[:, component, onset : onset + 3000] += np.round(wave).astype("float32")
    at = ("station", np.full(STATIONS, P, "int32")), ("station", np.full(STATIONS, S, "int32"))
    distance = generator.uniform(0.6, 8, STATIONS)
    coords = {
        "station": [f"{place:04d}{i:03d}" for i in range(STATIONS)], "component": list("NEZ"),
        "lat": ("station", 36.5 + distance / 111), "lon": ("station", generator.uniform(-98, -97, STATIONS)),
        "distance": ("station", distance),
        "time": ("station", np.full(STATIONS, np.datetime64("2016-07-11", "ns"))),
    }  # fmt: skip
    facts = {
        "sampling_rate_hz": RATE,
        "event_lat": 36.5,
        "event_lon": -97.5,
        "origin_s": P / RATE - 1,
        "part": _name(place),
    }
    waveform = (("station", "component", "sample"), records, {"units": "counts", "long_name": "ground motion"})
    store.write(xr.Dataset({"waveform": waveform, "p_onset": at[0], "s_onset": at[1]}, coords, facts), path)


def make_raw(path: Path) -> None:
    """A miniSEED file with as many samples as a part."""
    from obspy import Stream, Trace

    generator = np.random.default_rng(0)
    samples = (generator.integers(-1000, 1000, 10 * SAMPLES).astype("int32") for _ in range(3 * STATIONS // 10))
    header = {"network": "XX", "channel": "BHZ", "sampling_rate": RATE}
    Stream([Trace(own, header | {"station": f"S{i:03d}"}) for i, own in enumerate(samples)]).write(str(path), "MSEED")


def _name(place: int) -> str:
    return f"block_{place:03d}"


def child(step: str, given: dict[str, Any]) -> None:
    """One stage, in a process of its own."""
    from geojax import stages

    match step:
        case "make":
            make_raw(Path("raw.mseed"))
            for place in range(given["count"]):
                make_part(place, Path(f"data/made/parts/{_name(place)}.zarr"))
                Path(f"raw/{_name(place)}.made").parent.mkdir(exist_ok=True)
                Path(f"raw/{_name(place)}.made").touch()
        case "nothing":
            from geojax.training import loop  # noqa: F401  what every stage with a model imports
        case "normalize_part":
            for job in given["jobs"]:
                stages.normalize_part(**job)
        case _:
            taken = inspect.signature(getattr(stages, step)).parameters
            getattr(stages, step)(**{name: value for name, value in given.items() if name in taken})


def peak(step: str, given: dict[str, Any]) -> tuple[float, float]:
    """Seconds and highest resident memory in MB of a stage."""
    start = time.monotonic()
    number = os.posix_spawn(sys.executable, [sys.executable, __file__, "--child", step, json.dumps(given)], os.environ)
    _, status, used = os.wait4(number, 0)
    if status:
        sys.exit(f"{step} failed")
    return time.monotonic() - start, used.ru_maxrss / 1024


def plan(count: int, resident: int) -> list[tuple[str, dict[str, Any]]]:
    """The stages in the order of flow, with what each takes."""
    from geojax.config import Dataset, Run

    names = [_name(i) for i in range(count)]
    train, validation = names[: int(0.9 * count)], names[int(0.9 * count) : int(0.95 * count)]
    split = {"by": "group", "train": train, "validation": validation, "test": names[int(0.95 * count) :]}
    scaling = {"center": "none", "spread": "all", "over": ["station", "sample"], "reference": train[:10]}
    variable = {"units": "counts", "long_name": "ground motion"}
    card = dict.fromkeys(("title", "summary", "origin", "licence", "labels", "citation"), "made for a measurement")
    dataset = Dataset.model_validate({
        "card": card, "source": {"kind": "files", "pattern": "raw/{part}.made"}, "parts": {"by": "file"},
        "reader": {"name": "waveforms", "variables": {"waveform": variable}}, "split": split, "scaling": scaling,
    })  # fmt: skip
    run = Run.model_validate(RUN | {"training": RUN["training"] | {"resident": resident}})
    section = {name: value for name, value in run.model_dump(mode="json").items() if name in ("task", "examples")}
    model, training = run.model.model_dump(mode="json"), run.training.model_dump(mode="json")
    data, results = "data/made", "results/made"
    parts, normalized = ([f"{data}/{kind}/{n}.manifest.json" for n in names] for kind in ("parts", "normalized"))
    opened = {
        "parts": f"{data}/normalized.json",
        "scaling": f"{data}/scaling.manifest.json",
        "index": f"{results}/index.manifest.json",
    }
    opened |= section
    opened |= {"finished": f"{results}/finished"}
    manifests = {n: f"{results}/{n}.manifest.json" for n in ("model", "predictions", "baselines")}
    stores = {n: f"{results}/{n}.zarr" for n in manifests}
    reader = {"name": "waveforms", "variables": {"waveform": variable}, "options": {}}
    pairs = zip(parts, names, strict=True)
    jobs = [{"part": p, "scaling": opened["scaling"], "zarr": f"{data}/normalized/{n}.zarr"} for p, n in pairs]
    ingest = {"raw": "raw.mseed", "zarr": "ingested.zarr", "part": "raw", "selection": {}, "reader": reader}
    ingest |= {"quality": {"policy": "fail", "admit": ["all"]}}
    kept = {"kept": f"{data}/moments", "code": ""}
    index = {
        "parts": f"{data}/parts.json",
        "index": f"{results}/index.parquet",
        "splits": {"made": {"split": split, "reference": train[:10]}},
        **section,
    }
    train_model = {"model": model, "training": training, "checkpoints": f"{results}/checkpoints", "code": ""}
    train_model |= {"zarr": stores["model"], "history": f"{results}/history.parquet"}
    predict = {"weights": manifests["model"], "zarr": stores["predictions"], "model": model, "batch_size": 64}
    evaluate = {"predictions": manifests["predictions"], "baselines": manifests["baselines"], "run": "made"}
    evaluate |= {"scores": f"{results}/scores.json", "table": f"{results}/scores.parquet"}
    evaluate |= {"evaluation": run.evaluation.model_dump(mode="json")}
    config = {"run": run.model_dump(mode="json"), "datasets": {"made": dataset.model_dump(mode="json")}}
    return [
        ("ingest_part", ingest),
        ("gather_parts", {"parts": parts[:10], "listed": f"{data}/reference.json"}),
        ("fit_scaling", {"parts": f"{data}/reference.json", "zarr": f"{data}/scaling.zarr", "scaling": scaling} | kept),
        ("normalize_part", {"jobs": jobs}),
        ("gather_parts", {"parts": parts, "listed": f"{data}/parts.json"}),
        ("index_examples", index),
        ("gather_parts", {"parts": normalized, "listed": f"{data}/normalized.json"}),
        ("train_model", opened | train_model),
        ("predict", opened | predict | {"resident": resident}),
        ("fit_baselines", opened | {"zarr": stores["baselines"], "resident": resident}),
        ("evaluate_run", opened | evaluate | {"resident": resident}),
        ("write_page", {"name": "made", "page": "report/runs/made.html"} | config),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--limit-gb", type=float, default=1.5)
    arguments.add_argument("--resident", type=int, default=800, help="examples held at once, four a station")
    arguments.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        return child(given.child[0], json.loads(given.child[1]))
    count = -(-int(4 * given.limit_gb * 2**30) // PART_BYTES)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        peak("make", {"count": count})
        size = count * PART_BYTES / 2**20
        print(
            f"{count} parts of {PART_BYTES / 2**20:.0f} MB, {size:.0f} MB in all; limit {1024 * given.limit_gb:.0f} MB"
        )
        print("| stage | seconds | highest memory (MB) | of the limit |\n|---|---|---|---|")
        for step, own in [("nothing", {}), *plan(count, given.resident)]:
            seconds, memory = peak(step, own)
            name = "(importing JAX alone)" if step == "nothing" else step
            share = 100 * memory / (1024 * given.limit_gb)
            print(f"| {name} | {seconds:.0f} | {memory:.0f} | {share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
