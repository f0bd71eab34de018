"""What blocks and brackets find faster is what the definitions say of the whole record."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geojax.data import quality
from geojax.data.fills import NEVER
from geojax.data.quality import AROUND, CLIPPED, LEVELS, NEXT, SPIKE_ALONE, SPIKE_Z, inspect


def by_definition(values: np.ndarray, flat: int) -> dict[str, tuple[int, int]]:
    """Count and first of each fault, from the whole record at once, in plain Python where that is clearer."""
    if np.isinf(values).any():
        return {"infinite": (int(np.isinf(values).sum()), int(np.isinf(values).argmax()))}
    found = {}
    fill = np.isin(values, np.array(NEVER, values.dtype))
    if fill.any():
        found["fill"] = (int(fill.sum()), int(fill.argmax()))
    lengths = {}
    for i, value in enumerate(values):
        start = i - lengths[i - 1] if i and values[i - 1] == value else i
        lengths[i] = i - start + 1 if start < i else 1
    ends = [i for i in lengths if lengths[i] >= flat and lengths.get(i + 1, 1) == 1]
    if ends:
        found["flat"] = (len(ends), ends[0] - lengths[ends[0]] + 1)
    steps = np.abs(np.diff(values.astype("float64")))
    step = min(steps[steps > 0], default=0.0)
    known = values[~np.isnan(values)].astype("float64")
    if step and known.max() - known.min() >= LEVELS * step:
        near = max(NEXT * (known.max() - known.min()), 2 * step)
        for extreme in (known.max(), known.min()):
            there = values == extreme
            close = (np.abs(values.astype("float64") - extreme) <= near) & ~there
            if there.sum() >= max(CLIPPED, close.sum()):
                found["clip"] = (int(there.sum()), int(there.argmax()))
                break
    apart = np.abs(values[1:-1].astype("float64") - (values[:-2].astype("float64") + values[2:]) / 2)
    if len(values) > 2 * AROUND and not np.isnan(apart).all():
        scale = max(1.4826 * np.nanmedian(apart), step)
        spikes = []
        for i in np.flatnonzero(apart > SPIKE_Z * scale) + 1:
            # Beyond either end stands the sample there, as often as it takes.
            around = [values[min(max(i + k, 0), len(values) - 1)] for k in range(-AROUND, AROUND + 1) if k]
            low, high = np.nanmin(around), np.nanmax(around)
            if max(values[i] - high, low - values[i]) > SPIKE_ALONE * max(high - low, scale):
                spikes.append(int(i))
        if spikes:
            found["spike"] = (len(spikes), spikes[0])
    return found


@st.composite
def samples(draw) -> np.ndarray:
    """Whole numbers as a digitizer gives them, quiet or loud, with any faults at any places."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    count = draw(st.integers(1, 400))
    values = np.rint(rng.normal(0, draw(st.sampled_from([0.3, 3, 1000])), count))
    if draw(st.booleans()):
        values = np.rint(values.cumsum())
    for fault in draw(st.lists(st.sampled_from(["nan", "flat", "clip", "spike", "fill", "infinite"]), max_size=3)):
        at = draw(st.integers(0, count - 1))
        match fault:
            case "nan":
                values[at : at + draw(st.integers(1, 200))] = np.nan
            case "flat":
                values[at : at + draw(st.integers(2, 60))] = values[at]
            case "clip" if np.isfinite(values).any():
                values = np.minimum(values, np.quantile(values[np.isfinite(values)], 0.9))
            case "spike":
                values[at] += draw(st.sampled_from([-1e6, 400.0]))
            case "fill":
                values[at] = draw(st.sampled_from(NEVER))
            case "infinite":
                values[at] = -np.inf
    return values.astype(draw(st.sampled_from(["float32", "float64"])))


@settings(max_examples=300)
@given(
    values=samples(),
    flat=st.sampled_from([2, 5, 6, 11, 23, 50]),
    block=st.sampled_from([1, 2, 7, 64, 1000]),
    sample=st.sampled_from([5, 60, 1000]),
)
def test_faults_are_those_of_the_definitions_wherever_blocks_end(values, flat, block, sample):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "BLOCK", block)
        patch.setattr(quality, "SAMPLE", sample)
        found = {kind: (count, first) for kind, count, first, _ in inspect(values, flat)}

    assert found == by_definition(values, flat)


def test_a_record_of_nothing_has_no_fault():
    assert inspect(np.array([], "float32")) == []
    assert inspect(np.full(500, np.nan, "float32")) == []


def test_a_median_far_from_the_sampled_one_is_still_the_median(rng, monkeypatch):
    monkeypatch.setattr(quality, "SAMPLE", 10)
    values = rng.normal(size=10_000)
    values[::1000] = np.repeat(1e3, 10)  # every sample that is drawn lies by a spike
    values[1::1000] = -1e3

    found = {kind: (count, first) for kind, count, first, _ in inspect(values)}

    assert found == by_definition(values, quality.FLAT)
