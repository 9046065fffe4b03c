"""The weighted nearest-neighbour classifier: what an encoder knows, read without any training.

Features are L2-normalised and compared by cosine s. The k nearest images of the bank vote for their
class with weight exp(s / T); equal votes go to the lowest class number.

Wu et al., 2018 (arXiv 1805.01978), section 3.4; k = 20 and T = 0.07 as in DINO, Caron et al., 2021
(arXiv 2104.14294). Features are taken from images without augmentation, in evaluation mode.
"""

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int, Int64
from torch import Tensor
from torch.nn import functional

from selfsight.evaluation.embed import Embeddings

NEIGHBOURS = 20
TEMPERATURE = 0.07
CHUNK = 2**24  # similarities held at a time: 64 MiB


def knn_accuracy(
    train: Embeddings, test: Embeddings, *, k: int = NEIGHBOURS, temperature: float = TEMPERATURE
) -> float:
    """Return the share of labelled test images whose class the train images vote for, 0 to 1.

    Raises UserError if either part has no label or features that are not finite.
    """
    test = test.labelled()
    predicted = knn_predict(train, test, k=k, temperature=temperature)
    return float((predicted == test.labels).mean())


def knn_predict(
    train: Embeddings, test: Embeddings, *, k: int = NEIGHBOURS, temperature: float = TEMPERATURE
) -> Int64[np.ndarray, "queries"]:
    """Return the class of every labelled image of `test`, in order, by votes of `train`.

    Images without a label are left out of both. A k above the size of the bank is that size
    (`neighbours_used`). Raises UserError if either part has no label or features that are not
    finite.
    """
    votes = knn_votes(train, test, k=k, temperature=temperature)
    # numpy's argmax takes the first, hence the lowest, of equals; torch's takes any.
    winners: Int64[np.ndarray, "queries"] = votes.argmax(axis=1)
    return winners


def knn_votes(
    train: Embeddings, test: Embeddings, *, k: int = NEIGHBOURS, temperature: float = TEMPERATURE
) -> Float64[np.ndarray, "queries classes"]:
    """Return each class's share of the votes, rows summing to 1; arguments as in `knn_predict`."""
    assert k > 0
    assert temperature > 0
    train, test = train.labelled(), test.labelled()
    bank, queries = _directions(train.features), _directions(test.features)
    labels = torch.from_numpy(train.labels)
    classes = int(labels.max()) + 1
    neighbours = neighbours_used(train, k=k)
    chunks = torch.split(queries, max(1, CHUNK // len(bank)))
    votes = [_votes(chunk @ bank.T, labels, neighbours, classes, temperature) for chunk in chunks]
    found: Float64[np.ndarray, "queries classes"] = torch.cat(votes).numpy()
    return found


def neighbours_used(train: Embeddings, *, k: int) -> int:
    """Return how many neighbours vote: k, or all labelled images of a smaller bank."""
    return min(k, int((train.labels >= 0).sum()))


def _directions(features: Float32[np.ndarray, "n dim"]) -> Float[Tensor, "n dim"]:
    return functional.normalize(torch.tensor(features), dim=1)


def _votes(
    cosines: Float[Tensor, "queries bank"],
    labels: Int[Tensor, "bank"],
    k: int,
    classes: int,
    temperature: float,
) -> Float[Tensor, "queries classes"]:
    nearest, rows = cosines.topk(k, dim=1)
    # Softmax in float64 subtracts the largest first: a small temperature cannot overflow.
    weights = functional.softmax(nearest.double() / temperature, dim=1)
    votes = torch.zeros(len(cosines), classes, dtype=torch.float64)
    return votes.scatter_add_(1, labels[rows], weights)
