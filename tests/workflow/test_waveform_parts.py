"""An archive of daily waveform files, many to a part: a new file in a day reruns that day alone."""

import yaml
from obspy import Trace, UTCDateTime
from test_dag import DATASET, RUN, jobs, snakemake

from geojax import store

WAVES = DATASET | {
    "source": {"kind": "files", "pattern": "sds/*/NL/*/*.D/NL.*.BHZ.D.{part}"},
    "parts": {"by": "file"},
    "reader": {
        "name": "waveforms",
        "variables": {"ground_motion": {"units": "counts", "long_name": "ground motion"}},
    },
    "scaling": {"center": "mean", "spread": "all", "over": ["time"], "reference": ["2024.131"]},
}


def write_day(directory, station: str, day: int, rng) -> None:
    path = directory / f"sds/2024/NL/{station}/BHZ.D/NL.{station}..BHZ.D.2024.{day}"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"network": "NL", "station": station, "channel": "BHZ", "sampling_rate": 20.0}
    samples = rng.integers(-1000, 1000, 1200).astype("int32")
    Trace(samples, header | {"starttime": UTCDateTime(2024, 1, 1) + (day - 1) * 86400}).write(str(path), "MSEED")


def test_a_new_file_in_a_day_reruns_that_day_alone(tmp_path, rng):
    for folder in ("config/datasets", "config/runs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "config/datasets/waves.yaml").write_text(yaml.safe_dump(WAVES))
    (tmp_path / "config/runs/tiny.yaml").write_text(yaml.safe_dump(RUN | {"dataset": "waves"}))
    for day in (131, 132):
        write_day(tmp_path, "HGN", day, rng)
    targets = [f"data/waves/parts/2024.{day}.manifest.json" for day in (131, 132)]

    first = snakemake(tmp_path, *targets)
    before = store.read_json(tmp_path / targets[0])
    write_day(tmp_path, "WIT", 132, rng)
    second = snakemake(tmp_path, *targets)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (jobs(first), jobs(second)) == ({"ingest_part": 2}, {"ingest_part": 1})
    assert store.read_json(tmp_path / targets[0]) == before
    told = store.read_json(tmp_path / targets[1])
    assert sorted(told["raw"]) == ["NL.HGN..BHZ.D.2024.132", "NL.WIT..BHZ.D.2024.132"]
    assert told["quality"] == []
    assert list(store.read(tmp_path / targets[1])["trace"].values) == ["NL.HGN..BHZ", "NL.WIT..BHZ"]
