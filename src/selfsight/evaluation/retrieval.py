"""Retrieval: are images of the same class nearest? The mean average precision.

A query ranks all training images by the cosine of the features. Its average precision is the mean,
over the R training images of its class, of the share of its class among the images ranked as high
or higher; mAP is the mean over the queries whose class the training part has. Random features have
about the share of the class. Equal cosines stand in random order.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.evaluation.embed import Embeddings

QUERIES = 2_000  # test images at most
BLOCK = 2**22  # similarities sorted at a time


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The mean average precision, in [0, 1], and over how many queries and images."""

    mean_average_precision: float
    queries: int
    bank: int


def retrieval(train: Embeddings, test: Embeddings, *, seed: int) -> Retrieval:
    """Return how well images of `test` find those of their class in `train`.

    At most QUERIES images are asked, drawn by the seed. Raises UserError if a part has no label or
    features that are not finite.
    """
    train, test = train.labelled(), test.labelled()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train))  # so that equal cosines stand in random order
    bank = F.normalize(torch.from_numpy(train.features[order]), dim=1)
    of_bank = torch.from_numpy(train.labels[order])
    asked = np.flatnonzero(np.isin(test.labels, train.labels))
    asked = np.sort(rng.permutation(asked)[:QUERIES])
    queries = F.normalize(torch.from_numpy(test.features[asked]), dim=1)
    of_queries = torch.from_numpy(test.labels[asked])
    size = max(1, BLOCK // len(bank))
    found = [
        _average_precision(part @ bank.T, of_bank[None] == labels[:, None])
        for part, labels in zip(
            torch.split(queries, size), torch.split(of_queries, size), strict=True
        )
    ]
    mean = float(torch.cat(found).mean()) if len(asked) else float("nan")
    return Retrieval(mean, len(asked), len(bank))


def _average_precision(
    cosines: Float[Tensor, "queries bank"], same: Bool[Tensor, "queries bank"]
) -> Float[Tensor, "queries"]:
    ranked = same.gather(1, cosines.argsort(dim=1, descending=True, stable=True)).double()
    ranks = torch.arange(1, ranked.shape[1] + 1)
    precision = ranked.cumsum(1) / ranks
    return (precision * ranked).sum(1) / ranked.sum(1)
