"""Classical ways to make relief: Gaussian in principal components, Gaussian with a variogram, phases drawn anew.

Examples hold `tile` (example, size, size), about zero and of unit standard deviation, `amplitude` (example,), the
log10 of what that was in metres, and `seed` (example,), from which each example's chance comes. What validation shares
is told by geojax.tasks.terrain_gan. Each method draws an amplitude from those of the training tiles, makes a tile of
that class of amplitudes (low relief is rougher than high), brings it to unit standard deviation and multiplies. Its
settings are those with the least discrepancy from the validation tiles.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from geojax.data import relief
from geojax.scores import terrain
from geojax.task import Examples

Draw = Callable[[np.random.Generator], np.ndarray]  # a tile (size, size), of any mean and deviation


class Sampler:
    """What the methods share: amplitudes, their classes, and the choice of settings on the validation tiles."""

    trials: tuple[dict[str, Any], ...]

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.tiles, self.amplitude = train.rows["tile"], np.sort(train.rows["amplitude"])
        self.order = np.argsort(train.rows["amplitude"], kind="stable")
        found = []
        for trial in self.trials:
            self.draws = self.prepare(trial)
            found.append(discrepancy(self.predict(validation), validation))
        best = self.trials[int(np.argmin(found))]
        self.draws = self.prepare(best)
        return {**best, "validation_discrepancy": min(found)}

    def prepare(self, trial: dict[str, Any]) -> list[Draw]:
        """How a tile is drawn, for each class of the training tiles, from low relief to high."""
        raise NotImplementedError

    def predict(self, examples: Examples) -> np.ndarray:
        """Made relief (example, size, size) in metres, about zero."""
        made = np.empty((examples.size, *self.tiles.shape[1:]), "float32")
        for place, seed in enumerate(examples.rows["seed"]):
            generator = np.random.default_rng(int(seed))
            rank = generator.uniform()
            size = np.interp(rank * (len(self.amplitude) - 1), np.arange(len(self.amplitude)), self.amplitude)
            tile = self.draws[min(int(rank * len(self.draws)), len(self.draws) - 1)](generator)
            made[place] = 10**size * (tile - tile.mean()) / tile.std()
        return made


class PrincipalComponents(Sampler):
    """Independent Gaussian coefficients of the leading principal components, flips and turns of the tiles included.

    source : Lorenz (1956), Empirical orthogonal functions and statistical weather prediction, MIT
    """

    def __init__(self, components: tuple[int, ...] = (128, 512), classes: tuple[int, ...] = (1, 4, 16)) -> None:
        self.trials = tuple({"components": n, "classes": c} for n in components for c in classes)
        self.known: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    def prepare(self, trial: dict[str, Any]) -> list[Draw]:
        """The components of each number of classes are found once, as many as are asked for at most."""
        from sklearn.utils.extmath import randomized_svd

        classes, components = trial["classes"], trial["components"]
        if classes not in self.known:
            generator, most = np.random.default_rng(0), max(trial["components"] for trial in self.trials)
            self.known[classes] = []
            for own in np.array_split(self.order, classes):
                flat = relief.turned(self.tiles[own], generator).reshape(len(own), -1)
                mean = flat.mean(0)
                count = min(most, len(own) - 1)
                _, values, modes = randomized_svd(flat - mean, count, n_iter=2, random_state=0)
                self.known[classes].append((mean, values[:, None] * modes / np.sqrt(len(own))))
        return [self._draw(mean, modes[:components]) for mean, modes in self.known[classes]]

    def _draw(self, mean: np.ndarray, modes: np.ndarray) -> Draw:
        shape = self.tiles.shape[1:]
        return lambda generator: (mean + generator.standard_normal(len(modes)) @ modes).reshape(shape)


class RandomField(Sampler):
    """Stationary Gaussian field with the mean covariance of the tiles, by circulant embedding, not periodic.

    source : Dietrich and Newsam (1997), doi:10.1137/S1064827592240555
    """

    def __init__(self, classes: tuple[int, ...] = (1, 4, 16)) -> None:
        self.trials = tuple({"classes": c} for c in classes)

    def prepare(self, trial: dict[str, Any]) -> list[Draw]:
        return [stationary(self.tiles[own]) for own in np.array_split(self.order, trial["classes"])]


class PhaseSurrogates(Sampler):
    """A training tile, turned, with its own spectrum and random phases; and, if that is nearer, its own elevations.

    The tile is continued by its mirror image, so that a surrogate is not periodic. Elevations are brought back by rank,
    `rounds` times in turn with the spectrum. It needs the training tiles at hand and stays as close to one of them as
    its spectrum says. source : Theiler et al. (1992), doi:10.1016/0167-2789(92)90102-S; Schreiber and Schmitz (1996),
    doi:10.1103/PhysRevLett.77.635
    """

    def __init__(self, rounds: tuple[int, ...] = (0, 12, 40)) -> None:
        self.trials = tuple({"rounds": n} for n in rounds)

    def prepare(self, trial: dict[str, Any]) -> list[Draw]:
        """A class for each tile: a rank draws the tile whose amplitude it draws."""
        return [lambda chance, own=own: surrogate(self.tiles[own], trial["rounds"], chance) for own in self.order]


def surrogate(tile: np.ndarray, rounds: int, generator: np.random.Generator) -> np.ndarray:
    """A tile with the spectrum of another (size, size) and random phases; after `rounds`, with its elevations too."""
    size = len(tile)
    turned = relief.turned(tile[None], generator)[0].astype("float32")
    half = np.concatenate([turned, turned[::-1]])
    whole = np.concatenate([half, half[:, ::-1]], axis=1)
    power, ranked = np.abs(np.fft.rfft2(whole)), np.sort(whole, None)
    made = generator.standard_normal(whole.shape, "float32")
    for _ in range(rounds):
        made = _with_power(made, power)
        np.put(made, np.argsort(made, None), ranked)
    return _with_power(made, power)[:size, :size]


def _with_power(field: np.ndarray, power: np.ndarray) -> np.ndarray:
    own = np.fft.rfft2(field)
    return np.fft.irfft2(power * own / np.maximum(np.abs(own), 1e-12), field.shape)


def stationary(tiles: np.ndarray) -> Draw:
    """How a tile is drawn of the stationary Gaussian field with the mean covariance of tiles (example, size, size)."""
    size = tiles.shape[1]
    root = np.sqrt(eigenvalues(covariance(tiles)))

    def draw(generator: np.random.Generator) -> np.ndarray:
        noise = generator.standard_normal((2, *root.shape))
        return np.fft.fft2(root * (noise[0] + 1j * noise[1])).real[:size, :size]

    return draw


def covariance(tiles: np.ndarray) -> np.ndarray:
    """Mean covariance (2 × size, 2 × size) of tiles by lag along both axes, the negative ones last; isotropic in the
    sense that turned and mirrored lags are the same."""
    size = tiles.shape[1]
    shape = (2 * size, 2 * size)
    products = np.zeros((2 * size, size + 1))
    for tile in tiles:
        products += np.abs(np.fft.rfft2(tile, shape)) ** 2
    pairs = np.fft.irfft2(np.abs(np.fft.rfft2(np.ones((size, size)), shape)) ** 2, shape)
    mean = np.fft.irfft2(products, shape) / len(tiles) / np.maximum(pairs, 0.5)
    mean[np.round(pairs) < 1] = 0
    mirrored = 0.5 * (mean + np.roll(mean[:, ::-1], 1, 1))
    return 0.5 * (mirrored + mirrored.T)


def eigenvalues(covariances: np.ndarray) -> np.ndarray:
    """Of the circulant matrix of covariances (n, n) by lag; those below zero, which no field can have, are set to 0."""
    size = len(covariances) // 2
    lag = np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)) / size
    taper = np.clip(1 - np.hypot(lag[:, None], lag) ** 8, 0, None)  # long lags rest on few pairs
    return np.clip(np.fft.fft2(covariances * taper).real, 0, None) / covariances.size


def discrepancy(made: np.ndarray, examples: Examples) -> float:
    """Squared distance between the mean features of made tiles (example, size, size) and of the examples' own."""
    real, known = terrain.metres(examples.rows), examples.shared
    return float(((terrain.mean_features(made, known) - terrain.mean_features(real, known)) ** 2).sum())
