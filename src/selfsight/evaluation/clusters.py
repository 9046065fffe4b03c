"""Do the features fall into the classes by themselves? k-means, which sees no label.

Features are divided by their length (as for the nearest neighbours). k-means (Lloyd, 1982; started
as k-means++, Arthur and Vassilvitskii, 2007; best of several starts by inertia) is fitted on the
training images without their labels, k being the number of classes; test images go to the nearest
centre. Then clusters are held against the labels of the test images:

- NMI, mutual information over the arithmetic mean of both entropies, 0 to 1;
- ARI, the Rand index adjusted for chance (Hubert and Arabie, 1985), 0 at random, 1 at most;
- accuracy, after each cluster has been given one class, no two the same, so that most training
  images are right (the Hungarian method: Kuhn, 1955). The names come from the training labels:
  papers often take them from the labels that they then measure on, which is a little higher.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from selfsight.evaluation.embed import Embeddings

FITTED = 20_000  # training images at most
STARTS = 5


@dataclass(frozen=True, slots=True)
class Clusters:
    """How k-means clusters of test images agree with their labels."""

    clusters: int
    nmi: float
    ari: float
    accuracy: float
    fitted: int  # training images


def cluster_agreement(train: Embeddings, test: Embeddings, *, seed: int) -> Clusters:
    """Return how clusters found in `train` without labels agree with the labels of `test`.

    Raises UserError if a part has no label or features that are not finite.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    train, test = train.labelled(), test.labelled()
    classes, of_class = np.unique(train.labels, return_inverse=True)
    k = len(classes)
    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:FITTED])
    of_train, of_test = _assigned(
        _directions(train.features[rows]), _directions(test.features), k=k, seed=seed
    )
    named = classes[_names(of_train, of_class[rows], k=k)]
    return Clusters(
        clusters=k,
        nmi=float(normalized_mutual_info_score(test.labels, of_test)),
        ari=float(adjusted_rand_score(test.labels, of_test)),
        accuracy=float((named[of_test] == test.labels).mean()),
        fitted=len(rows),
    )


def _assigned(
    train: Float32[np.ndarray, "images dim"],
    test: Float32[np.ndarray, "queries dim"],
    *,
    k: int,
    seed: int,
) -> tuple[Int[np.ndarray, "images"], Int[np.ndarray, "queries"]]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    found = KMeans(n_clusters=k, n_init=STARTS, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Collapsed features have fewer places than clusters; the numbers then say it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        of_train = found.fit_predict(train)
        return of_train, found.predict(test)


def _names(
    clusters: Int[np.ndarray, "images"], classes: Int[np.ndarray, "images"], *, k: int
) -> Int[np.ndarray, "clusters"]:
    """Return the class (0 to k - 1) of every cluster, each once, that suits most images."""
    from scipy.optimize import linear_sum_assignment

    together = np.zeros((k, k), dtype=np.int64)
    np.add.at(together, (clusters, classes), 1)
    _, chosen = linear_sum_assignment(together, maximize=True)
    named: Int[np.ndarray, "clusters"] = chosen
    return named


def _directions(features: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions: Float32[np.ndarray, "n dim"] = features / np.maximum(lengths, np.float32(1e-12))
    return directions
