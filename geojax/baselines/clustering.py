"""Clusterings that choose their settings without labels, and place events of later times in the clusters found."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from geojax.scores.clustering import silhouettes
from geojax.task import Examples

JUDGED = 4000  # events that a silhouette is computed from at most


@dataclass
class Clustering:
    """The best of several clusterings of `inputs` (example, feature).

    trials : estimators with fit and predict, or a likeness of them
    criterion : (fitted, validation inputs) to a number, the higher the better; never of labels
    clusters : how many memberships are told
    width : of the place that is told beside them: the leading principal components of the training inputs
    """

    trials: Sequence[Any]
    criterion: Callable[[Any, np.ndarray], float]
    clusters: int
    width: int
    chosen: Any = field(default=None, init=False)
    components: Any = field(default=None, init=False)

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        own, judged = train.rows["inputs"], validation.rows["inputs"]
        fitted = [trial.fit(own) for trial in self.trials]
        scores = [float(self.criterion(trial, judged)) for trial in fitted]
        best = int(np.argmax(scores))
        self.chosen, self.components = fitted[best], PCA(self.width).fit(own)
        return {"trials": scores, "chosen": " ".join(str(self.trials[best]).split()), "criterion": scores[best]}

    def predict(self, examples: Examples) -> np.ndarray:
        """(example, clusters + width): 1 for the cluster, 0 for the others; then the place."""
        inputs = examples.rows["inputs"]
        members = np.eye(self.clusters)[self.chosen.predict(inputs)]
        return np.concatenate([members, self.components.transform(inputs)], 1).astype("float32")


@dataclass
class SampledSpectral:
    """Spectral clustering (Ng et al. 2001, Advances in Neural Information Processing Systems 14) of a sample, as it
    has no place for what is not in it; other examples go with most of the `votes` sampled ones nearest to them.
    """

    clusters: int
    neighbours: int
    sample: int = 2000
    votes: int = 5
    seed: int = 0
    placed: Any = field(default=None, init=False, repr=False)

    def fit(self, inputs: np.ndarray) -> "SampledSpectral":
        generator = np.random.default_rng(self.seed)
        taken = generator.permutation(len(inputs))[: self.sample]
        own = SpectralClustering(
            self.clusters, affinity="nearest_neighbors", n_neighbors=self.neighbours, assign_labels="cluster_qr",
            random_state=self.seed,
        )  # fmt: skip
        with warnings.catch_warnings():  # a graph in pieces is no fault: they are clusters that need no cut
            warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
            label = own.fit_predict(inputs[taken])
        self.placed = KNeighborsClassifier(self.votes).fit(inputs[taken], label)
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.placed.predict(inputs)


def silhouette(fitted: Any, inputs: np.ndarray) -> float:
    """Mean silhouette of the clusters that inputs are placed in."""
    some = inputs[:: -(-len(inputs) // JUDGED)]
    return float(silhouettes(some, fitted.predict(some)).mean())


def likelihood(fitted: Any, inputs: np.ndarray) -> float:
    """Mean log-likelihood of inputs, in nats."""
    return float(fitted.score(inputs))


def methods(clusters: int, features: int, width: int) -> Mapping[str, Clustering]:
    """Each method with what it may choose."""
    means = [KMeans(clusters, n_init=10, random_state=seed) for seed in (0, 1, 2)]
    reduced = [
        make_pipeline(PCA(count, whiten=whiten), KMeans(clusters, n_init=10, random_state=0))
        for count in range(1, features + 1)
        for whiten in (False, True)
    ]
    mixtures = [
        GaussianMixture(clusters, covariance_type=kind, n_init=5, reg_covar=1e-4, random_state=0)
        for kind in ("full", "tied", "diag")
    ]
    spectral = [SampledSpectral(clusters, count) for count in (10, 20, 40, 80)]
    return {
        "k-means": Clustering(means, silhouette, clusters, width),
        "k-means of principal components": Clustering(reduced, silhouette, clusters, width),
        "Gaussian mixture": Clustering(mixtures, likelihood, clusters, width),
        "spectral clustering": Clustering(spectral, silhouette, clusters, width),
    }


def starts(clusters: int) -> Mapping[str, Any]:
    """One clustering of each kind, for a model to begin with."""
    return {
        "k-means": KMeans(clusters, n_init=10, random_state=0),
        "Gaussian mixture": GaussianMixture(clusters, n_init=5, reg_covar=1e-4, random_state=0),
        "spectral clustering": SampledSpectral(clusters, 10),
    }


def moments(values: np.ndarray, cluster: np.ndarray, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (cluster, feature) and root mean square distances from them along an axis, (cluster,), of values
    (example, feature); a cluster of no or equal members has the mean and a tenth of the spread of all.
    """
    spread = float(values.std())
    means, radii = np.repeat(values.mean(0)[None], clusters, 0), np.full(clusters, 0.1 * spread)
    for number in np.unique(cluster):
        own = values[cluster == number]
        means[number] = own.mean(0)
        radii[number] = max(float(np.sqrt(own.var(0).mean())), 0.1 * spread)
    return means, radii
