"""Craters: circles, tiles, templates, heat maps, scores and the reader, against geometry and planted craters."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from flax import nnx
from PIL import Image
from rasterio.transform import from_origin
from scipy.ndimage import map_coordinates

from geojax import task as tasks
from geojax.baselines import craters as classical
from geojax.baselines import templates
from geojax.data.imagery import circle_examples, circles, correlation, pictures
from geojax.data.readers import labelled_image
from geojax.errors import UserError
from geojax.problem import Problem
from geojax.scores import circles as circles_scores
from geojax.stages import prediction
from geojax.training import augment, circle_tiles
from geojax.training.objectives import circle_loss
from geojax.training.objectives.heat_maps import targets

PLANTED = np.array([[30.0, 25, 6], [70, 90, 9], [100, 30, 4.5], [20, 110, 5], [64, 60, 7], [105, 105, 8]])
VARIABLES = {"image": {"units": "1", "long_name": "brightness"}}


def ground(planted: np.ndarray, side: int, rng) -> np.ndarray:
    """Rough ground with bowls that are dark at left and bright at right."""
    values = rng.normal(0, 3, (side, side)) + 128
    row, column = np.mgrid[:side, :side]
    for r, c, radius in planted:
        inside = np.hypot(row - r, column - c) <= radius
        values[inside] += 80 * ((column - c) / radius)[inside]
    return values.round().clip(0, 255)


def strip(name: str, rng, planted=PLANTED, side: int = 128) -> xr.Dataset:
    values = ground(planted, side, rng).astype("float32")
    axes = {"y": np.arange(side, dtype=float), "x": np.arange(300.0, 300 + side)}
    row, column, radius = planted.T
    own = {"row": ("crater", row), "column": ("crater", column + 300), "diameter": ("crater", 2 * radius)}
    return xr.Dataset({"image": (("y", "x"), values)} | own, axes, {"part": name})


@pytest.fixture
def made(rng):
    task = tasks.configured("craters", {"inner": 32, "margin": 16, "trials": 1})
    parts = {split: strip(split, rng) for split in ("train", "validation", "test")}
    index = {name: task.index(part).assign(part=name, split=name) for name, part in parts.items()}
    return task, index, {n: task.examples(own, parts, xr.Dataset()) for n, own in index.items()}


def oracle(examples, settings) -> np.ndarray:
    """The maps that a perfect model would give."""
    middle = examples.rows["origin"] + settings.margin + (settings.inner - 1) / 2

    @jax.jit
    @jax.vmap
    def maps(picture, own):
        near = circle_tiles.near(examples.shared, picture, own, jnp.eye(2), settings.side, settings.near)
        wanted = targets(near, settings.side)
        return jnp.concatenate([wanted.heat[..., None], wanted.shape], -1)

    return np.array(maps(examples.rows["picture"], middle))


def test_overlap_of_circles_is_that_of_their_areas():
    one = np.array([[0.0, 0, 2]])
    other = np.array([[0.0, 0, 2], [0, 0, 4], [0, 4, 2], [0, 9, 2], [1, 2, 3]])
    row, column = np.mgrid[-10:10:0.01, -10:10:0.01]
    inside = [np.hypot(row - r, column - c) <= s for r, c, s in (one[0], other[4])]
    counted = (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum()

    np.testing.assert_allclose(circles.overlap(one, other)[0], [1, 1 / 4, 0, 0, counted], atol=2e-3)


def test_of_doubles_the_best_stays_and_any_threshold_may_follow(rng):
    found = np.column_stack([rng.uniform(0, 60, (200, 2)), rng.uniform(2, 9, 200)])
    score = rng.uniform(size=200)

    kept = circles.suppress(found, score, 0.3)

    share = circles.overlap(found[kept], found[kept]) - np.eye(len(kept))
    assert share.max() <= 0.3
    lost = np.setdiff1d(np.arange(200), kept)
    better = score[kept][None] > score[lost][:, None]
    assert ((circles.overlap(found[lost], found[kept]) > 0.3) & better).any(1).all()
    above = np.flatnonzero(score >= 0.5)
    np.testing.assert_array_equal(above[circles.suppress(found[above], score[above], 0.3)], kept[score[kept] >= 0.5])


def test_a_marked_circle_is_found_once_and_by_the_best():
    true = np.array([[10.0, 10, 5], [40, 40, 5]])
    found = np.array([[10.5, 10, 5], [10, 10, 5], [80, 80, 5]])

    np.testing.assert_array_equal(circles.match(found, true, 0.5), [0, -1, -1])


def test_the_threshold_is_that_of_the_best_f1():
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    hit = np.array([True, True, True, False, False])

    level, f1 = circles.threshold(score, hit, 4)

    assert 0.2 < level < 0.7
    assert f1 == pytest.approx(6 / 7)


def test_circles_of_a_picture_go_to_tiles_and_come_back_each_once(made):
    *_, examples = made
    found = np.column_stack([PLANTED, np.linspace(1, 0.5, len(PLANTED))])

    tables = circle_examples.tabled(examples["test"], [found], 5)

    assert (tables[..., 3] > 0).sum() == len(PLANTED)
    np.testing.assert_allclose(circle_examples.merged(examples["test"], tables)[0], found, atol=1e-4)


def test_a_crater_told_by_two_tiles_counts_once(made):
    task, index, examples = made
    tables = circle_examples.tabled(examples["test"], [np.column_stack([PLANTED, np.ones(len(PLANTED))])], 5)
    tile = int(np.flatnonzero((examples["test"].rows["origin"] == [64, 32]).all(1))[0])
    tables[tile, -1] = [64.5 - 64, 60.5 - 32, 7, 0.5]  # the crater at 64, 60, again

    sums = task.statistics(index["test"], examples["test"], tables, xr.Dataset()).sum()

    assert (sums["hits"], sums["false"], sums["missed"]) == (6, 0, 0)


def test_examples_of_some_tiles_ask_only_for_the_craters_in_them(made):
    examples = made[2]
    pieces = [np.arange(7), np.arange(7, 16)]

    counts = [len(circle_examples.marked(examples["test"].take(own))[0]) for own in pieces]

    assert sum(counts) == len(PLANTED)
    assert min(counts) > 0


def test_hits_false_finds_and_misses_are_counted_in_their_square_and_size():
    found = pd.DataFrame(
        {
            "group": ["a", "a", "b", "b"], "kind": ["hit", "false", "missed", "hit"], "radius": [4, 6, 20, 10],
            "found_radius": [5, 6, np.nan, 10],
        }
    )  # fmt: skip

    sums = circles_scores.counts(found)
    score = circles_scores.scores(sums.sum("group"))

    np.testing.assert_array_equal(sums["hits"], [[1, 0, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(sums["false"], [[0, 1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(sums["missed"], [[0, 0, 0, 0], [0, 0, 0, 1]])
    assert float(score["f1"]) == pytest.approx(4 / 6)
    assert float(score["diameter_error"]) == pytest.approx(0.125)


def test_nothing_found_scores_zero():
    found = pd.DataFrame({"group": ["a"], "kind": ["missed"], "radius": [4], "found_radius": [np.nan]})

    score = circles_scores.scores(circles_scores.counts(found).sum("group"))

    assert [float(score[name]) for name in ("f1", "precision", "recall", "diameter_error")] == [0, 0, 0, 0]


def test_circles_come_back_from_the_maps_that_they_make(made):
    task, index, examples = made
    maps = oracle(examples["test"], task.settings)

    chosen = task.tune(lambda own: oracle(own, task.settings), examples["validation"])
    tables = task.decide(maps, chosen)

    assert chosen["validation_f1"] == 1
    (found,) = circle_examples.merged(examples["test"], tables)
    np.testing.assert_allclose(found[np.lexsort(found[:, :3].T), :3], PLANTED[np.lexsort(PLANTED.T)], atol=1e-3)
    score = task.score(task.statistics(index["test"], examples["test"], tables, xr.Dataset()).sum("group"))
    assert float(score["f1"]) == 1


def test_the_loss_is_least_where_the_maps_are_right():
    wanted = targets(jnp.array([[20.0, 20.3, 6], [40, 41, 0]]), 64)
    logit = jnp.where(wanted.peak, 9.0, -9.0)[..., None]
    right = jnp.concatenate([logit, wanted.shape], -1)[None]
    batch = jax.tree.map(lambda own: own[None], wanted)

    assert int(wanted.peak.sum()) == 1  # a circle of radius 0 is none
    loss = jax.jit(lambda output: circle_loss(output, batch, 1.0))
    assert loss(right) < 1e-3
    for wrong in (right.at[..., 1].add(0.1), right.at[..., 0].multiply(-1)):
        assert loss(wrong) > loss(right) + 0.05


def test_a_sample_between_pixels_is_bilinear(rng):
    every = rng.normal(size=(2, 9, 12, 1)).astype("float32")
    place = rng.uniform(-2, 13, (40, 2)).astype("float32")

    found = augment.sample(jnp.array(every), jnp.array(1), jnp.array(place))

    expected = map_coordinates(every[1, ..., 0], place.T, order=1, mode="nearest")
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_craters_stay_on_their_circles_when_training_turns_and_scales_a_tile(made):
    task, _, examples = made
    change = circle_tiles.Change(turn=30, zoom=0.3, contrast=0.3)
    row = {"picture": jnp.array(0), "origin": jnp.array([64, 32])}
    draw = jax.jit(
        lambda key: circle_tiles.fresh(
            key, row, examples["train"].shared, task.settings.side, task.settings.near, change
        )
    )
    for seed in range(8):
        seen, near = map(np.asarray, draw(jax.random.key(seed)))
        step = np.arange(task.settings.side)
        for r, c, radius in near[near[:, 2] > 0]:
            right = (np.hypot(step[:, None] - r, step - c) < 0.8 * radius) & (step > c)
            left = (np.hypot(step[:, None] - r, step - c) < 0.8 * radius) & (step < c)
            if min(right.sum(), left.sum()) > 8:
                assert seen[right, 0].mean() > seen[left, 0].mean() + 0.5


def test_the_loss_of_a_new_model_is_finite_and_its_maps_are_of_the_tile(made):
    task, _, examples = made
    model = task.model("unet", {"width": 4, "depth": 1}, examples["train"], nnx.Rngs(0))
    few = {split: own.take(np.arange(2)) for split, own in examples.items()}
    graph, state = nnx.split(model)

    @jax.jit
    def found(state, key):
        again = nnx.merge(graph, state)
        losses = [task.loss(again, few[split], key, split == "train") for split in ("train", "validation")]
        return jnp.stack(losses), task.predict(again, few["test"])

    losses, maps = found(state, jax.random.key(0))

    assert np.isfinite(losses).all()
    assert maps.shape == (2, 64, 64, 4)


def test_correlation_with_a_pattern_is_pearsons_where_the_ground_is_rough(rng):
    picture = 50 * rng.normal(size=(30, 40))
    pattern = templates.normal(rng.normal(size=(1, 7, 7))).reshape(1, 7, 7)

    found = correlation.correlate(picture, pattern)

    expected = np.corrcoef(picture[10:17, 20:27].ravel(), pattern.ravel())[0, 1]
    assert found[13, 23] == pytest.approx(expected, abs=1e-4)
    assert found.shape == picture.shape


def test_a_lit_bowl_looks_most_like_one_at_its_centre_and_in_the_band_of_its_size(rng):
    picture = ground(np.array([[40.0, 50, 4.2], [110, 100, 24]]), 160, rng)

    found = correlation.bowls(picture)

    assert found.shape == (160, 160, 3)
    for band, (row, column) in ((0, (40, 50)), (2, (110, 100))):
        np.testing.assert_allclose(np.unravel_index(found[..., band].argmax(), (160, 160)), (row, column), atol=2)
        assert found[row, column].argmax() == band
        assert found[row, column, band] > 0.7
    assert correlation.bowls(picture[:, ::-1])[110, 59, 2] < 0  # lit from the other side it is a mound


@pytest.mark.parametrize("method", [classical.TemplateMatching, classical.BoostedCandidates])
def test_a_classical_method_finds_planted_craters(made, method):
    task, index, examples = made
    baseline = method(task.settings.most, task.settings.trials)

    told = baseline.fit(examples["train"], examples["validation"])
    score = task.score(
        task.statistics(index["test"], examples["test"], baseline.predict(examples["test"]), xr.Dataset()).sum("group")
    )

    assert told["validation_f1"] > 0.8
    assert float(score["f1"]) > 0.8
    assert float(score["diameter_error"]) < 0.2


@pytest.fixture
def files(tmp_path, rng):
    Image.fromarray(ground(PLANTED, 128, rng).astype("uint8")).save(tmp_path / "tile.png")
    table = pd.DataFrame(PLANTED * [1, 1, 2], columns=["lat", "long", "d"])
    table.to_csv(tmp_path / "tile.csv", index=False)
    return {name: tmp_path / name for name in ("tile.png", "tile.csv")}


NAMES = {"row": "lat", "column": "long", "diameter": "d"}


def test_a_strip_has_its_columns_and_the_circles_that_touch_it(files):
    found = labelled_image.read(files, {"stations": [str(i) for i in range(56, 100)]}, VARIABLES, **NAMES)

    assert found["image"].shape == (128, 44)
    np.testing.assert_array_equal(found["x"][[0, -1]], [56, 99])
    np.testing.assert_array_equal(found["column"], [90, 60, 105])  # that at 105 reaches in from the right


def test_a_missing_column_and_circles_beyond_the_picture_are_named(files):
    with pytest.raises(UserError, match=r"tile.csv: must have a column diameter, but has lat, long, d"):
        labelled_image.read(files, {}, VARIABLES, row="lat", column="long")
    pd.DataFrame({"lat": [400], "long": [20], "d": [6]}).to_csv(files["tile.csv"], index=False)
    with pytest.raises(UserError, match="Are row and column exchanged"):
        labelled_image.read(files, {}, VARIABLES, **NAMES)
    pd.DataFrame({"lat": [40], "long": [20], "d": [-6]}).to_csv(files["tile.csv"], index=False)
    with pytest.raises(UserError, match="a diameter above zero, but row 1 has"):
        labelled_image.read(files, {}, VARIABLES, **NAMES)


def test_columns_that_are_not_in_the_picture_are_refused(files):
    with pytest.raises(UserError, match=r"within 0-127, but run from 120 to 130"):
        labelled_image.read(files, {"stations": [str(i) for i in range(120, 131)]}, VARIABLES, **NAMES)


def test_craters_of_a_map_are_written_where_they_lie(made, tmp_path, rng):
    task = made[0]
    path = tmp_path / "moon.tif"
    values = ground(PLANTED, 128, rng).astype("float32")
    transform = from_origin(1000, 5000, 10, 10)
    with rasterio.open(path, "w", driver="GTiff", width=128, height=128, count=1, dtype="float32",
                       crs="EPSG:32633", transform=transform) as raw:  # fmt: skip
        raw.write(values, 1)
    (tmp_path / "out").mkdir()

    def predict(own):
        np.testing.assert_array_equal(own.shared["pictures"].shape[1:3], [160, 160])
        found = np.column_stack([PLANTED, np.ones(len(PLANTED))])
        return circle_examples.tabled(own, [found], task.settings.most)

    written = task.apply(predict, [path], tmp_path / "out", tasks.Data({}, xr.Dataset(), lambda *_: xr.Dataset()))

    table = pd.read_csv(written[0]).sort_values("row")
    place = PLANTED[np.argsort(PLANTED[:, 0])]
    np.testing.assert_allclose(table["x"], 1000 + 10 * (place[:, 1] + 0.5), atol=1e-3)
    np.testing.assert_allclose(table["y"], 5000 - 10 * (place[:, 0] + 0.5), atol=1e-3)
    np.testing.assert_allclose(table["diameter_metre"], 20 * place[:, 2], atol=1e-3)
    assert written[1].stat().st_size > 10_000


def test_a_picture_without_a_map_has_rows_and_columns_from_its_upper_left_corner(files):
    part = pictures.opened(files["tile.png"], "image")

    table = pictures.located(part, np.array([[3.0, 4, 5, 0.1]]))

    assert table.iloc[0].to_dict() == {"row": 3, "column": 4, "diameter": 10, "score": 0.1}


def test_what_a_task_tunes_on_validation_decides_what_is_stored(made, rng):
    task, index, _ = made
    parts = {name: strip(name, rng) for name in index}
    problem = Problem(task, parts, xr.Dataset(), pd.concat(index.values(), ignore_index=True))

    def faint(examples):  # a model that is right, and never sure
        maps = oracle(examples, task.settings)
        maps[..., 0] *= 0.3
        return maps

    (decided,), (chosen,) = prediction._tuned(problem, [faint], None)

    assert chosen["threshold"] < 0.31
    assert (decided(problem.examples("test"))[..., 3] >= 0).sum() == len(PLANTED)
