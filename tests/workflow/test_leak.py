"""A leak planted in the raw files ends the workflow before anything is trained, with a message that says where."""

import re

import xarray as xr
import yaml
from test_dag import DATASET, RUN, jobs, snakemake, write_year

from geojax import store

SPLIT = {
    "by": "time",
    "train": ["1991-01-01", "1992-12-31"],
    "validation": ["1993-01-01", "1993-12-31"],
    "test": ["1994-01-01", None],
}
LEAKY = DATASET | {"split": SPLIT, "scaling": DATASET["scaling"] | {"reference": ["1991-1992"]}}


def test_a_month_told_again_in_a_test_year_ends_the_workflow_at_the_index_until_it_is_mended(tmp_path, rng):
    for folder in ("raw", "config/datasets", "config/runs"):
        (tmp_path / folder).mkdir(parents=True)
    for year in range(1991, 1995):
        write_year(tmp_path / "raw", year)
    (tmp_path / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(LEAKY))
    (tmp_path / "config/runs/tiny.yaml").write_text(yaml.safe_dump(RUN))
    trained, later = tmp_path / "raw/sst_1992.nc", tmp_path / "raw/sst_1994.nc"
    with xr.open_dataset(trained) as told, xr.open_dataset(later) as honest:
        leaky = honest.load().copy(deep=True)
        leaky["sst"][6] = told["sst"].values[6] + 0.003 * rng.normal(size=told["sst"].shape[1:])  # 40 dB below
        honest.close()
    leaky.to_netcdf(later)

    stopped = snakemake(tmp_path, "results/tiny/index.manifest.json")

    assert stopped.returncode != 0
    assert jobs(stopped) == {"ingest_part": 4, "gather_parts": 1}
    assert re.search(
        r"the split leaks:\n  nearly the same content, correlation [01]\.\d{4}: "
        r"part 1992 position 0 at 1992-01-16 in train and part 1994 position 0 at 1994-01-16 in test "
        r"\(piece 6 of one, 6 of the other\)\n"
        r"What helps: take one of the copies out of the raw files, or let `split: near_duplicates` say",
        stopped.stderr,
    )
    assert "Traceback" not in stopped.stderr.split("the split leaks")[0].split("index_examples")[-1]
    assert not (tmp_path / "results/tiny/index.parquet").exists()

    write_year(tmp_path / "raw", 1994)
    mended = snakemake(tmp_path, "results/tiny/index.manifest.json")

    assert mended.returncode == 0, mended.stderr
    assert jobs(mended) == {"ingest_part": 1, "gather_parts": 1, "index_examples": 1}
    told = store.read_json(tmp_path / "results/tiny/index.manifest.json")["audit"]
    assert told["not_looked_for"] == []
    assert "no raw file stands in two splits, by its digest (4 files)" in told["passed"]
