"""The weighted nearest-neighbour classifier: what an encoder knows, read without any training.

Features are L2-normalised and compared by cosine s. The k nearest images of the bank vote for their
class with weight exp(s / T); equal votes go to the lowest class number.

Wu et al., 2018 (arXiv 1805.01978), section 3.4; k = 20 and T = 0.07 as in DINO, Caron et al., 2021
(arXiv 2104.14294). Features are taken from images without augmentation, in evaluation mode.
"""

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor
from torch.nn import functional

from selfsight.evaluation.embed import Embeddings

NEIGHBOURS = 20
TEMPERATURE = 0.07
BANK_BLOCK, QUERY_BLOCK = 2**13, 2**11  # 64 MiB of cosines at a time, whatever the bank


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
    labels = torch.from_numpy(train.labels)
    cosines, rows = _nearest(
        train.features, _directions(test.features), k=neighbours_used(train, k=k)
    )
    # Softmax in float64 subtracts the largest first: a small temperature cannot overflow.
    weights = functional.softmax(cosines.double() / temperature, dim=1)
    votes = torch.zeros(len(test), int(labels.max()) + 1, dtype=torch.float64)
    found: Float64[np.ndarray, "queries classes"]
    found = votes.scatter_add_(1, labels[rows], weights).numpy()
    return found


def neighbours_used(train: Embeddings, *, k: int) -> int:
    """Return how many neighbours vote: k, or all labelled images of a smaller bank."""
    return min(k, int((train.labels >= 0).sum()))


def _nearest(
    bank: Float32[np.ndarray, "bank dim"], queries: Float[Tensor, "queries dim"], *, k: int
) -> tuple[Float[Tensor, "queries k"], Int64[Tensor, "queries k"]]:
    """Return cosines and rows of the k nearest of the bank, which is read block by block."""
    found = torch.full((len(queries), k), -torch.inf)
    rows = torch.zeros(len(queries), k, dtype=torch.int64)
    for start in range(0, len(bank), BANK_BLOCK):
        block = _directions(bank[start : start + BANK_BLOCK])
        for first in range(0, len(queries), QUERY_BLOCK):
            part = slice(first, first + QUERY_BLOCK)
            nearest, places = (queries[part] @ block.T).topk(min(k, len(block)), dim=1)
            both = torch.cat([found[part], nearest], dim=1)
            found[part], order = both.topk(k, dim=1)
            rows[part] = torch.cat([rows[part], places + start], dim=1).gather(1, order)
    return found, rows


def _directions(features: Float32[np.ndarray, "n dim"]) -> Float[Tensor, "n dim"]:
    return functional.normalize(torch.tensor(features), dim=1)
