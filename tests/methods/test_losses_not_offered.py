"""Losses of relatives that are no methods here, spelt out: their values are others than ours.

Whoever holds an outside code against ours meets them: SimCLR without the positive in the
denominator (DCL, arXiv 2110.06848), SimCLR with labels (SupCon, arXiv 2004.11362), Barlow Twins
with the paper's unbiased deviation, whitening (W-MSE, arXiv 2007.06346).
"""

import math

import pytest
import torch
from given import Z1, Z2, A, B, assert_gradient
from torch import Tensor
from torch.nn import functional as F

from selfsight.methods.barlow_twins import barlow_twins_loss
from selfsight.methods.simclr import nt_xent

CLASSES = torch.tensor([0, 1, 0, 1] * 2)


def similarities(za: Tensor, zb: Tensor, temperature: float) -> Tensor:
    """Return the logits of all views of both, none with itself."""
    z = F.normalize(torch.cat([za, zb]), dim=1)
    return (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)


def decoupled(za: Tensor, zb: Tensor, *, temperature: float) -> Tensor:
    logits = similarities(za, zb, temperature)
    rows = torch.arange(len(logits))
    partner = rows.roll(len(za))
    positives = logits[rows, partner]
    others = logits.index_put((rows, partner), torch.tensor(-math.inf, dtype=logits.dtype))
    return (others.logsumexp(1) - positives).mean()


def supervised(za: Tensor, zb: Tensor, *, within: bool, averaged: bool = True) -> Tensor:
    """Return SupCon at temperature 0.1: the mean over positives within the logarithm or outside."""
    logs = similarities(za, zb, 0.1).log_softmax(1)
    positive = (CLASSES[:, None] == CLASSES).fill_diagonal_(fill_value=False)
    count = positive.sum(1)
    if not within:
        return -(logs.masked_fill(~positive, 0).sum(1) / count).mean()
    shares = logs.masked_fill(~positive, -math.inf).logsumexp(1)
    return -(shares - (count.log() if averaged else 0)).mean()


def unbiased_barlow(za: Tensor, zb: Tensor) -> Tensor:
    one, other = ((z - z.mean(0)) / z.std(0) for z in (za, zb))
    correlation = one.T @ other / len(za)
    diagonal = correlation.diagonal()
    rest = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + 0.005 * rest


def whitened(z: Tensor) -> Tensor:
    centred = z - z.mean(0)
    factor = torch.linalg.cholesky(centred.T @ centred / (len(z) - 1))
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T


def whitening_loss(za: Tensor, zb: Tensor) -> Tensor:
    return 2 - 2 * F.cosine_similarity(whitened(za), whitened(zb), dim=1).mean()


def test_the_reference_values() -> None:
    found = {
        decoupled(Z1, Z2, temperature=0.5): -0.28042438,
        supervised(Z1, Z2, within=False): 6.18159360,
        supervised(Z1, Z2, within=True): 1.10613409,
        supervised(Z1, Z2, within=True, averaged=False): 0.00752180,
        supervised(Z1, Z2, within=False) * 0.1 / 0.07: 8.83084800,
        unbiased_barlow(A, B): 0.09528793,
        unbiased_barlow(A, A): 0.06808970,
        whitening_loss(A, B): 0.05078790,
        (whitened(A) - whitened(B)).square().mean(): 0.05323256,
    }
    for value, expected in found.items():
        assert value.item() == pytest.approx(expected, abs=1e-7)


def test_the_reference_gradients() -> None:
    assert_gradient(
        lambda z: supervised(z, Z2, within=False),
        at=Z1,
        first_row=[0.720913, 1.116379, 0.410536],
        length=3.008889,
    )
    assert_gradient(
        lambda z: whitening_loss(z, B),
        at=A,
        first_row=[-0.093169, -0.040610, -0.003748, -0.017899],
        length=0.191248,
    )
    assert_gradient(
        lambda z: whitening_loss(A, z),
        at=B,
        first_row=[0.113068, 0.033359, 0.006780, 0.015550],
        length=0.161994,
    )


def test_ours_are_others() -> None:
    """The positive is in SimCLR's denominator, and Barlow Twins' deviation is the biased one."""
    ours = nt_xent(Z1, Z2, temperature=0.5)
    assert ours.item() == pytest.approx(0.60326699, abs=1e-7)  # half of Google's 1.20653398
    assert ours > decoupled(Z1, Z2, temperature=0.5)
    assert barlow_twins_loss(A, B).item() == pytest.approx(0.01152086, abs=1e-7)
