"""LiDAR: how many directions tell images apart better than they tell views of one image apart.

Thilak et al., ICLR 2024 (arXiv 2312.04000): the effective rank of linear discriminant analysis with
every image a class and its views the members. Unlike RankMe it does not count directions in which
nothing but the augmentation shows.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.diagnosis.spread import measurable

DELTA = 1e-4  # added to the variance of views in every direction
EPSILON = 1e-8  # added to every eigenvalue's share


def lidar(views: Float[Tensor, "images views dim"]) -> float:
    """Return exp of the entropy of the eigenvalues of S_w^-1/2 S_b S_w^-1/2: 1 to min(n - 1, dim).

    S_b is the covariance of the images' means, S_w that of the views about them plus DELTA. The
    value depends on DELTA, and so on the scale of the features, where views do not vary: bring
    features to one scale first (`unit_variance`). NaN for fewer than two images or views, or if a
    number is not finite; 1 if all images are alike.
    """
    images, count, dim = views.shape
    if count < 2 or images < 2 or not measurable(views.flatten(1)):
        return math.nan
    exact = views.detach().cpu().double()
    means = exact.mean(dim=1)
    centred = means - means.mean(dim=0)
    around = (exact - means[:, None]).flatten(0, 1)
    between = centred.T @ centred / (images - 1)
    within = around.T @ around / (images * (count - 1))
    # Cholesky instead of the root: L^-1 S_b L^-T has the same eigenvalues.
    lower = torch.linalg.cholesky(within + DELTA * torch.eye(dim, dtype=torch.float64))
    half = torch.linalg.solve_triangular(lower, between, upper=False)
    ratios = torch.linalg.solve_triangular(lower, half.T, upper=False)
    values = torch.linalg.eigvalsh((ratios + ratios.T) / 2).clamp(min=0)
    if float(values.sum()) == 0:
        return 1.0
    shares = values / values.sum() + EPSILON
    return float(torch.exp(-(shares * shares.log()).sum()))


def unit_variance(views: Float[Tensor, "images views dim"]) -> Float[Tensor, "images views dim"]:
    """Return the views scaled by one factor to a mean variance over dimensions of 1.

    Views without any extent are returned as they are.
    """
    exact = views.detach().cpu().double()
    variance = float(exact.flatten(0, 1).var(dim=0).mean())
    return exact / math.sqrt(variance) if variance > 0 else exact
