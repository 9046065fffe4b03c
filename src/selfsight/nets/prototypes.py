"""Prototypes: unit vectors to which the vectors of images are compared by cosine.

SwAV and DINO end in them. There is no bias, and both sides are normalised where they are used, so
that a score is a cosine and a prototype cannot win by its length.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.precision import full_precision


class Prototypes(nn.Module):
    """`count` directions in `dim` dimensions, learnt."""

    def __init__(self, count: int, *, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, dim) / math.sqrt(dim))

    def forward(
        self, z: Float[Tensor, "batch dim"], *, frozen: bool
    ) -> Float[Tensor, "batch count"]:
        """Return the cosine of every row with every prototype; a frozen prototype stays put."""
        weight: Tensor = self.weight
        if frozen:
            # 0 x weight: data-parallel training waits for a gradient of every weight. A gradient
            # of 0 leaves at most weight decay, which shortens a prototype but does not turn it.
            weight = weight.detach() + 0 * weight
        return cosines(z, weight)


@full_precision
def cosines(
    z: Float[Tensor, "batch dim"], prototypes: Float[Tensor, "count dim"]
) -> Float[Tensor, "batch count"]:
    """Return the cosine between every row of `z` and every prototype."""
    return F.normalize(z, dim=1) @ F.normalize(prototypes, dim=1).T


def assignment_logs(shares: Float[Tensor, "batch count"]) -> dict[str, Float[Tensor, ""]]:
    """Return entropies of the rows (each sums to 1), as fractions of ln `count`.

    mean_assignment_entropy: of the mean row; 0 when one prototype takes all. assignment_entropy:
    the mean over rows; 1 when no row decides. Equal numbers mean that all rows are the same, which
    is a collapse whatever their value. sure_assignment_entropy: what the first would be if every
    row chose a prototype of its own; below 1 for fewer rows than prototypes.
    """
    with torch.no_grad():
        most = math.log(shares.shape[1])
        of_mean, of_rows = (
            -torch.special.xlogy(rows, rows).sum(1).mean() / most
            for rows in (shares.mean(0, keepdim=True), shares)
        )
    sure = of_mean.new_tensor(min(1.0, math.log(max(2, len(shares))) / most))
    return {
        "mean_assignment_entropy": of_mean,
        "assignment_entropy": of_rows,
        "sure_assignment_entropy": sure,
    }


def fitting_count(count: int, *, images: int) -> int:
    """Return `count`, or the greatest power of two up to a quarter of the images, at least 8.

    Prototypes of which each has but a few images cannot all be used alike.
    """
    return min(count, max(8, 1 << (max(1, images // 4).bit_length() - 1)))
