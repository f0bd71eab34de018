"""New relief: tiles of one size on the ground, what they are compared by, and what else can make them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from flax import nnx
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from sklearn.metrics import roc_auc_score

from geojax.baselines import relief as baselines
from geojax.data import relief
from geojax.data.readers import load
from geojax.errors import UserError
from geojax.models.relief_gan import ReliefGAN, _spreads, bands, enlarge
from geojax.scores import relief as properties
from geojax.scores import terrain, two_samples
from geojax.task import Examples


def grid(field, south=-4.0, west=0.0, step=0.1):
    rows, columns = field.shape
    lat, lon = south + step * np.arange(rows), west + step * np.arange(columns)
    return xr.Dataset({"elevation": (("lat", "lon"), field)}, {"lat": lat, "lon": lon}, {"part": "a"})


def rough(rng, count, size=64, smooth=2.0):
    """Relief of some metres, smooth at short wavelengths, skewed."""
    made = gaussian_filter(rng.normal(size=(count, size, size)), (0, smooth, smooth))
    made = np.exp(3 * made)
    return (100 * (made - made.mean((1, 2), keepdims=True))).astype("float32")


def examples(tiles, **shared):
    amplitude = properties.relief(tiles)
    rows = {"tile": tiles / amplitude[:, None, None], "amplitude": np.log10(amplitude)}
    return Examples(rows | {"seed": np.arange(len(tiles), dtype="int32")}, shared)


def yardstick(tiles):
    own = properties.descriptors(tiles)
    center, spread = own.mean(0), own.std(0)
    known = {"center": center, "spread": spread, "trained": tiles}
    return known | {"frequency": two_samples.frequencies((own - center) / spread)}


# Tiles


def test_at_the_equator_a_tile_is_the_grid_itself_about_its_mean(rng):
    field = rng.normal(size=(16, 20))
    part = grid(field, south=-0.75)

    tiles = relief.cut(field, relief.windows(part, 16, 4), 16)

    assert len(tiles) == 2  # the second, four columns on
    np.testing.assert_allclose(tiles[0], field[:, :16] - field[:, :16].mean(), atol=2e-6)


def test_at_60_degrees_a_tile_takes_twice_the_columns():
    part = grid(np.zeros((16, 70)), south=60 - 0.75)

    rows = relief.windows(part, 16, 16)

    np.testing.assert_allclose(rows["wide"], 32)
    assert len(rows) == 2
    assert (rows["left"] + rows["wide"] <= 70).all()


def test_averaging_columns_keeps_what_a_cell_holds():
    edges = np.linspace(0.3, 7.7, 5)
    cells = np.arange(9.0) ** 2  # of unit width

    mean = cells @ relief.shares(edges, 9)

    whole = np.interp(edges, np.arange(10), np.concatenate([[0], np.cumsum(cells)]))
    np.testing.assert_allclose(mean, np.diff(whole) / np.diff(edges))


def test_a_round_hill_stays_round_in_a_tile_far_from_the_equator():
    place = relief.windows(grid(np.zeros((48, 90)), south=48.0), 48, 1).iloc[[3]]
    lat, lon = 48 + 0.1 * np.arange(48), 0.1 * np.arange(90)
    shrunk = np.cos(np.radians(50.35))
    north, east = lat[:, None] - place["lat"].item(), (lon - place["lon"].item()) * shrunk
    hill = 1000 * np.exp(-(north**2 + east**2) / (2 * 0.6**2))

    (tile,) = relief.cut(hill, place, 48)

    assert np.abs(tile - tile.T).max() < 15  # of 1000 m: columns are means, rows are points
    square = hill[:, 21:69]  # as many columns as rows, about the summit
    assert np.abs(square - square.T).max() > 150


def test_an_uneven_grid_is_refused():
    part = grid(np.zeros((4, 4))).assign_coords(lon=[0.0, 0.1, 0.3, 0.4])
    with pytest.raises(UserError, match="equal steps"):
        relief.spacing(part)


def test_regions_that_touch_share_no_point_and_leave_none_out(tmp_path, rng):
    field = rng.normal(size=(6, 40)).astype("float32")
    raw = grid(field)
    raw["elevation"].attrs["units"] = "m"
    raw["lat"].attrs["units"], raw["lon"].attrs["units"] = "degrees_north", "degrees_east"
    raw.to_netcdf(tmp_path / "relief.nc")
    variables = {"elevation": {"units": "m", "long_name": "elevation"}}
    spans = [(0, 1.2), (1.2, 2.9), (2.9, 4)]

    def read(**region):
        return load("netcdf")({"relief.nc": tmp_path / "relief.nc"}, {"region": region}, variables)

    pieces = [read(lon=span)["elevation"].values for span in spans]
    assert [piece.shape[1] for piece in pieces] == [12, 17, 11]
    np.testing.assert_array_equal(np.concatenate(pieces, 1), field)
    with pytest.raises(UserError, match="from 5 to before 6"):
        read(lon=(5, 6))


# Properties


def test_properties_are_the_same_by_numpy_and_jax_and_have_names(rng):
    tiles = rough(rng, 3)

    by_jax = jax.jit(properties.descriptors)(jnp.asarray(tiles))

    np.testing.assert_allclose(by_jax, properties.descriptors(tiles), atol=2e-3)
    assert by_jax.shape == (3, len(properties.names()))


def test_properties_do_not_depend_on_where_north_is(rng):
    tiles = rough(rng, 4)

    for view in terrain.views(tiles):
        np.testing.assert_allclose(properties.descriptors(view), properties.descriptors(tiles), atol=1e-3)


def test_relief_turned_over_has_the_opposite_skewness_and_summits_for_hollows(rng):
    tiles = rough(rng, 4)
    names = properties.names()

    upright, over = properties.descriptors(tiles), properties.descriptors(-tiles)

    at = names.index
    np.testing.assert_allclose(
        upright[:, at("skewness of elevation")], -over[:, at("skewness of elevation")], atol=1e-4
    )
    np.testing.assert_allclose(upright[:, at("summits")], over[:, at("hollows")], atol=1e-6)
    assert (upright[:, at("skewness of elevation")] > 0.5).all()


def test_a_slope_has_the_slope_semivariance_and_direction_that_geometry_gives():
    ramp = np.broadcast_to(3.0 * np.arange(64)[:, None], (1, 64, 64))

    np.testing.assert_allclose(properties.slope(ramp), 3.0, rtol=1e-6)
    np.testing.assert_allclose(properties.semivariance(ramp, 4), 0.25 * 12**2, rtol=1e-6)
    np.testing.assert_allclose(properties.anisotropy(ramp), 1.0, rtol=1e-6)
    np.testing.assert_allclose(properties.curvature(ramp), 0, atol=1e-9)


def test_the_spectrum_of_a_wave_peaks_at_its_wavenumber():
    wave = 50 * np.cos(2 * np.pi * 9 * np.arange(64) / 64)[None, :, None] * np.ones((1, 1, 64))

    assert 1 + properties.spectrum(wave).argmax() == 9


# Two samples


def sums(one, other):
    both = [xr.DataArray(own.sum(0), dims="feature") for own in (one, other)]
    return *both, xr.DataArray(float(len(one)))


def test_the_discrepancy_is_the_unbiased_mean_of_kernels(rng):
    frequency = two_samples.frequencies(rng.normal(size=(100, 3)))
    one, other = (two_samples.features(rng.normal(m, 1, (20, 3)), frequency) for m in (0, 0.5))

    found = two_samples.squared_discrepancy(*sums(one, other))

    off = ~np.eye(20, dtype=bool)
    exact = (one @ one.T)[off].mean() + (other @ other.T)[off].mean() - 2 * (one @ other.T).mean()
    assert float(found) == pytest.approx(exact, abs=1e-5)


def test_the_discrepancy_of_one_distribution_is_zero_in_the_mean_and_of_two_is_not(rng):
    frequency = two_samples.frequencies(rng.normal(size=(500, 4)))

    def mean(shift):
        draws = [
            float(two_samples.squared_discrepancy(*sums(*(
                two_samples.features(rng.normal(m, 1, (30, 4)), frequency) for m in (0, shift)
            )))) for _ in range(200)
        ]  # fmt: skip
        return np.mean(draws), np.std(draws) / np.sqrt(200)

    same, error = mean(0.0)
    assert abs(same) < 3 * error
    assert mean(0.5)[0] > 20 * error


def test_inner_products_of_features_are_gaussian_kernels(rng):
    points = rng.normal(size=(40, 2))
    frequency = two_samples.frequencies(points)
    features = two_samples.features(points, frequency)

    square = ((points[:, None] - points) ** 2).sum(-1)
    pairs = square[~np.eye(40, dtype=bool)]
    exact = np.mean([np.exp(-square / (2 * w**2 * np.median(pairs))) for w in two_samples.WIDTHS], axis=0)

    assert np.abs(features @ features.T - exact).max() < 0.2  # by chance, of 256 frequencies
    assert np.abs(features @ features.T - exact).mean() < 0.05


def test_areas_and_distances_from_counts_are_those_of_the_values(rng):
    edges = np.linspace(0, 1, 21)
    one, other = rng.beta(4, 2, 300), rng.beta(2, 2, 300)
    group = np.zeros(300, int)
    counts = [xr.DataArray(two_samples.counts(v[:, None], group, edges)[0], dims="bin") for v in (one, other)]
    binned = [np.digitize(v, edges) for v in (one, other)]

    area = roc_auc_score(np.repeat([1, 0], 300), np.concatenate(binned))
    assert float(two_samples.larger(*counts)) == pytest.approx(area)
    distance = wasserstein_distance(*binned) / binned[1].std()
    assert float(two_samples.transport(*counts)) == pytest.approx(distance)


def test_a_classifier_cannot_tell_what_is_alike_though_each_group_has_a_mark_and_can_tell_what_differs(rng):
    group = np.repeat(np.arange(6), 40)
    real, made = rng.normal(size=(2, 240, 3))
    real[:, 0] += 10 * group  # a mark that tells real from made, in the groups that were seen
    made[:, 0] += 10 * rng.permutation(6)[group]

    alike = two_samples.told_apart(real[:, 1:], made[:, 1:], group)
    apart = two_samples.told_apart(real[:, 1:], made[:, 1:] + 2, group)

    label = np.repeat([1, 0], 240)
    assert 0.35 < roc_auc_score(label, np.concatenate(alike)) < 0.65
    assert roc_auc_score(label, np.concatenate(apart)) > 0.95


def test_copies_of_training_tiles_are_found_though_turned_and_new_tiles_are_as_far_as_others(rng):
    trained, new, other = rough(rng, 40), rough(rng, 30), rough(rng, 30)
    copied = np.concatenate([np.rot90(trained[:15], 1, (1, 2)), trained[15:30].swapaxes(1, 2)])

    distance, place = terrain.nearest(copied, terrain.coarse(trained))
    np.testing.assert_array_equal(place, np.arange(30))
    assert distance.max() < 3e-3  # a root of rounding

    known, group = yardstick(trained), np.repeat(["a", "b", "c"], 10)
    novelty = [
        float(terrain.scores(terrain.compared(other, made, group, known).sum("group"))["novelty"])
        for made in (copied, new)
    ]
    assert novelty[0] == 0.0
    assert novelty[1] == pytest.approx(0.5, abs=0.15)


def test_real_tiles_against_themselves_score_as_alike(rng):
    tiles = rough(rng, 30)

    found = terrain.scores(
        terrain.compared(tiles, tiles, np.repeat(["a", "b", "c"], 10), yardstick(tiles)).sum("group")
    )

    assert float(found["spectrum_db"]) == float(found["semivariogram_db"]) == 0
    assert float(abs(found["distance"]).max()) == 0
    assert float(found["novelty"]) == 0.5
    assert float(found["discrepancy"]) < 0  # nearer than two samples of one distribution are


# Other ways to make relief


def test_a_random_field_has_the_covariance_that_it_was_given():
    lag = np.minimum(np.arange(64), 64 - np.arange(64))
    given = np.exp(-np.hypot(lag[:, None], lag) / 3)
    root = np.sqrt(baselines.eigenvalues(given))
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((2, 800, 64, 64))

    fields = np.fft.fft2(root * (noise[0] + 1j * noise[1])).real

    for apart in (0, 1, 4):
        found = (fields[:, : 32 - apart, :32] * fields[:, apart:32, :32]).mean()
        assert found == pytest.approx(np.exp(-apart / 3), abs=0.03)


def test_the_mean_covariance_of_tiles_is_that_of_their_pairs(rng):
    tiles = rng.normal(size=(3, 8, 8))

    found = baselines.covariance(tiles)

    def pairs(rows, columns):
        one = tiles[:, : 8 - rows, : 8 - columns] * tiles[:, rows:, columns:]
        other = tiles[:, : 8 - rows, columns:] * tiles[:, rows:, : 8 - columns]
        return one.mean(), other.mean()

    exact = np.mean([*pairs(2, 3), *pairs(3, 2)])
    assert found[2, 3] == found[3, 2] == found[-2, 3] == pytest.approx(exact)


def test_a_surrogate_has_its_tiles_spectrum_and_after_some_rounds_nearly_its_elevations(rng):
    tile = rough(rng, 1)[0]
    power = np.abs(np.fft.rfft2(tile))

    made = baselines._with_power(rng.normal(size=tile.shape), power)

    np.testing.assert_allclose(np.abs(np.fft.rfft2(made)), power, rtol=1e-3, atol=1e-2)
    plain, shaped = (
        properties.skewness(np.stack([baselines.surrogate(tile, n, rng) for _ in range(8)])).mean() for n in (0, 10)
    )
    own = properties.skewness(tile[None])[0]
    assert abs(shaped - own) < 0.5 * abs(plain - own)


@pytest.mark.parametrize(
    "method",
    [
        baselines.PrincipalComponents((8, 16), (1, 2)),
        baselines.RandomField((1, 2)),
        baselines.PhaseSurrogates((0, 2)),
    ],
)
def test_each_method_makes_tiles_about_zero_whose_relief_is_that_of_training_and_which_their_seed_alone_tells(
    method, rng
):
    train, validation = examples(rough(rng, 60)), rough(rng, 20)
    judged = examples(validation, **yardstick(validation))

    chosen = method.fit(train, judged)
    made = method.predict(judged)

    assert chosen["validation_discrepancy"] == pytest.approx(baselines.discrepancy(made, judged))
    np.testing.assert_allclose(made.mean((1, 2)), 0, atol=1e-2)
    low, high = 10 ** train.rows["amplitude"].min(), 10 ** train.rows["amplitude"].max()
    assert ((properties.relief(made) > 0.99 * low) & (properties.relief(made) < 1.01 * high)).all()
    np.testing.assert_array_equal(method.predict(judged.take(np.array([7]))), made[7:8])


# The pair


def test_generated_fields_are_about_zero_and_of_unit_deviation_and_every_parameter_has_a_gradient(rng):
    fields = rough(rng, 12, 8, 1.0)
    fields /= properties.relief(fields)[:, None, None]
    net = ReliefGAN(fields, 1, width=4, critic_width=4, latent=4, rngs=nnx.Rngs(0))
    latent = jnp.asarray(rng.normal(size=(5, net.generator.latent)), "float32")
    values = jnp.asarray(rng.normal(size=(5, 1)), "float32")

    made = nnx.jit(lambda net: net(latent, values=values))(net)
    slope = nnx.jit(nnx.grad(lambda net: jnp.sum(net.critic(net(latent, values=values), values=values) ** 2)))(net)

    np.testing.assert_allclose(made.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(made.std((1, 2)), 1, atol=1e-3)
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope))


def test_what_halvings_take_away_and_what_is_left_make_up_the_field(rng):
    fields = rng.normal(size=(4, 32, 32))

    shown = bands(jnp.asarray(fields), (1.0, 1.0, 1.0))
    left = fields.reshape(4, 4, 8, 4, 8).mean((2, 4)).repeat(8, 1).repeat(8, 2)

    np.testing.assert_allclose(shown[..., 1:].sum(-1) + left, fields, atol=1e-5)
    about = fields - fields.mean()
    assert sum(s**2 for s in _spreads(about)) == pytest.approx((about**2).mean(), rel=1e-4)


def test_enlarging_leaves_a_plane_a_plane():
    place = (np.arange(8) + 0.5) / 8
    plane = lambda at: 2 * at[:, None] - 3 * at  # noqa: E731

    out = enlarge(jnp.asarray(plane(place))[None, ..., None])

    np.testing.assert_allclose(out[0, ..., 0], plane((np.arange(16) + 0.5) / 16), atol=1e-5)


def test_fields_of_a_size_that_halving_does_not_end_at_four_are_refused():
    with pytest.raises(UserError, match="power of two"):
        ReliefGAN(np.ones((2, 12, 12)), rngs=nnx.Rngs(0))
