"""What a part costs when there are 10 to 10,000 in one folder: written, read back, merged into the scaling.

python benchmarks/data/parts.py [most]
"""

import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from pairs import machine

from geojax import store
from geojax.data import scaling

SETTINGS = {"center": "mean", "spread": "all", "over": ["time"], "reference": ["all"]}
AT = (10, 100, 1_000, 10_000)
LAST = 10  # parts over which a cost is taken


def main(most: int) -> None:
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    print(f"{machine()}\n\nMilliseconds for each part, the median of the last {LAST}; the merge is of all of them:\n")
    print("| parts in the folder | store.write | store.read and load | moments | merge, for each part |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="geojax-bench-") as folder:
        costs, moments = [], []
        for number in range(1, most + 1):
            part = xr.Dataset({"level": (("time", "well"), rng.normal(size=(24, 3)).astype("float32"))})
            path = Path(folder) / f"{number:05d}.zarr"
            start = time.perf_counter()
            store.write(part, path)
            wrote = time.perf_counter()
            back = store.read(path).load()
            read = time.perf_counter()
            moments.append(scaling.moments(back, SETTINGS))
            costs.append((wrote - start, read - wrote, time.perf_counter() - read))
            if number in AT:
                start = time.perf_counter()
                scaling.fit(scaling.merge(moments), SETTINGS)
                merged = (time.perf_counter() - start) / number
                cells = [*np.median(costs[-LAST:], 0), merged]
                print(f"| {number:,} | " + " | ".join(f"{1e3 * cell:.2f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else AT[-1])
