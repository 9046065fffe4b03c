"""Which other images an image is like: its nearest neighbours, and the members of its cluster."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsight.errors import UserError

FEWEST_FOR_CLUSTERS = 10  # images


def neighbours(
    features: Float[Tensor, "bank dim"], rows: Int[np.ndarray, "images"], *, count: int
) -> Int[np.ndarray, "images neighbours"]:
    """Return the rows of the nearest other images by cosine, nearest first.

    Raises UserError if there is no other image.
    """
    if len(features) < 2:
        raise UserError(
            "one image alone has no neighbours; give a folder of more, or --toward itself"
        )
    directions = F.normalize(features, dim=1)
    cosines = directions[torch.from_numpy(rows)] @ directions.T
    cosines[torch.arange(len(rows)), torch.from_numpy(rows)] = -torch.inf
    order = cosines.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(count, len(features) - 1)].cpu().numpy()


def clusters_of(
    features: Float[Tensor, "bank dim"], rows: Int[np.ndarray, "images"], *, seed: int
) -> tuple[Int[np.ndarray, "_members"], ...]:
    """Return the other members of each image's cluster; there are about as many as images in one.

    k-means on directions. An image alone in its cluster is compared with its nearest neighbour.
    Raises UserError for fewer than ten images.
    """
    from sklearn.cluster import KMeans

    if len(features) < FEWEST_FOR_CLUSTERS:
        raise UserError(
            f"{len(features)} images make no clusters; give at least {FEWEST_FOR_CLUSTERS}"
        )
    directions = F.normalize(features, dim=1).cpu().numpy()
    solver = KMeans(round(len(features) ** 0.5), n_init=3, random_state=seed % 2**32)
    cluster = solver.fit_predict(directions)
    nearest = neighbours(features, rows, count=1)
    found = []
    for place, row in enumerate(rows):
        others = np.flatnonzero(cluster == cluster[row])
        others = others[others != row]
        found.append(others if len(others) else nearest[place])
    return tuple(found)
