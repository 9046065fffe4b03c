"""The linear features of which two views of an image agree best, in closed form.

Take features of many pairs of views. W is the covariance of what differs between the two views of
an image, halved; B that of what they share: the covariance of their means, less W / 2. The
directions that maximise shared over differing variance solve B d = ratio (W + ridge) d. It is
Fisher's discriminant with every image a class of its own, and what contrastive learning and VICReg
come to for a linear network (Balestriero and LeCun, NeurIPS 2022, arXiv 2205.11508).
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

RIDGE = 0.03  # added to the differing variance of features of deviation 1


class Moments:
    """Sums over pairs of views, from which means, deviations and directions follow."""

    def __init__(self, dim: int, *, device: torch.device) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64, device=device)

        self.pairs, self.origin, self.total = 0, zeros(dim), zeros(dim)
        self.differing, self.shared = zeros(dim, dim), zeros(dim, dim)

    def add(self, first: Float[Tensor, "pairs dim"], second: Float[Tensor, "pairs dim"]) -> None:
        """Count some more pairs."""
        if self.pairs == 0:  # sums are taken about here, or rounding passes for variance
            self.origin = first.mean(0).double()
        difference = (first - second) / 2
        mean = (first + second) / 2 - self.origin.to(first.dtype)
        self.pairs += len(first)
        self.total += mean.sum(0)
        self.differing += difference.T @ difference
        self.shared += mean.T @ mean

    def scaling(self) -> tuple[Float64[Tensor, "dim"], Float64[Tensor, "dim"]]:
        """Return the means of the features, and one over their deviations (0 for constants)."""
        beyond = self.total / self.pairs
        variance = (self.differing + self.shared).diagonal() / self.pairs - beyond.square()
        mean = self.origin + beyond
        constant = variance <= 1e-12 * mean.square()
        return mean, torch.where(constant, 0, variance.clamp(min=1e-30).rsqrt())

    def directions(self, count: int) -> Float64[Tensor, "dim count"]:
        """Return the `count` best directions for standardised features, best first.

        Each is scaled so that views differ by a variance of 1 (with the ridge), then weighted by
        the share of what it says that the views agree on, ratio / (ratio + 1).
        """
        _, scale = self.scaling()
        beyond = self.total / self.pairs
        spread = scale[:, None] * scale
        differing = 2 * self.differing / self.pairs * spread
        shared = (self.shared / self.pairs - beyond[:, None] * beyond) * spread - differing / 2
        factor = torch.linalg.cholesky(differing + RIDGE * torch.eye(len(scale)).to(differing))
        half = torch.linalg.solve_triangular(factor, shared, upper=False)
        both = torch.linalg.solve_triangular(factor, half.T, upper=False)
        ratios, vectors = torch.linalg.eigh((both + both.T) / 2)
        ratios, vectors = ratios.flip(0)[:count].clamp(min=0), vectors.flip(1)[:, :count]
        found = torch.linalg.solve_triangular(factor.T, vectors, upper=True)
        weighted: Tensor = found * (ratios / (ratios + 1))
        return weighted
