"""The numbers in which a collapse shows, against loops, identities and reference values."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from selfsight.diagnosis.spread import (
    covariance_eigenvalues,
    effective_rank,
    ideal_spread,
    mean_cosine,
    participation_ratio,
    rankme,
    spread,
)

MEASURES = [spread, mean_cosine, rankme, effective_rank, participation_ratio]
RANKS = [rankme, effective_rank, participation_ratio]


def closed_form(rows: int, columns: int, shift: int) -> Tensor:
    """Return numbers in [-1, 1] that any language can rebuild."""
    k = np.arange(rows * columns, dtype=np.int64)
    numbers = ((7919 * k * k + 104729 * k + shift) % 1009) / 504.5 - 1
    return torch.from_numpy(numbers.reshape(rows, columns))


def example() -> Tensor:
    return closed_form(16, 5, 40) * torch.tensor([4, 2, 1, 0.5, 0.25], dtype=torch.float64)


def gaussian(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_the_inputs_of_the_reference_are_rebuilt():
    numbers = ((closed_form(2, 3, 1) + 1) * 504.5).round().long().tolist()
    assert numbers == [[1, 650, 993], [21, 761, 186]]


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (spread, 0.34987689),
        (rankme, 3.34907276),
        (effective_rank, 2.10172891),
        (participation_ratio, 1.69728398),
    ],
)
def test_every_measure_has_its_reference_value(measure, value):
    assert measure(example()) == pytest.approx(value, abs=1e-6)


def test_the_covariance_has_the_eigenvalues_of_the_reference_but_for_their_scale():
    expected = torch.tensor([0.008212, 0.104106, 0.375563, 1.847002, 6.566841])
    found = covariance_eigenvalues(example())
    shares = (expected / expected.sum()).to(found)
    torch.testing.assert_close(found / found.sum(), shares, rtol=0, atol=1e-6)


def test_the_ideal_spread_is_one_over_the_root_of_the_width():
    assert ideal_spread(64) == pytest.approx(0.125)
    assert ideal_spread(5) == pytest.approx(0.44721, abs=1e-5)
    assert spread(gaussian(4000, 64)) == pytest.approx(ideal_spread(64), rel=1e-3)


def test_the_mean_cosine_is_that_of_a_loop_over_pairs():
    rows = example()
    cosines = [
        float(a @ b / (a.norm() * b.norm()))
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
        if i != j
    ]
    assert mean_cosine(rows) == pytest.approx(np.mean(cosines), abs=1e-12)


def test_the_ranks_are_those_of_the_full_decomposition():
    rows = example()
    values = torch.linalg.svdvals(rows)
    shares = values / values.sum() + 1e-7
    assert rankme(rows) == pytest.approx(float(torch.exp(-(shares * shares.log()).sum())))
    eigenvalues = torch.linalg.eigvalsh(torch.cov(rows.T))
    shares = eigenvalues / eigenvalues.sum()
    assert effective_rank(rows) == pytest.approx(float(torch.exp(-(shares * shares.log()).sum())))
    ratio = float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
    assert participation_ratio(rows) == pytest.approx(ratio)


def test_a_gaussian_cloud_has_its_known_rank():
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((256, 128)))
    assert rankme(rows) == pytest.approx(118.5, abs=0.5)


def test_k_equal_directions_have_participation_k():
    rows = torch.cat([torch.eye(4, 9), -torch.eye(4, 9)])
    assert participation_ratio(rows) == pytest.approx(4)
    assert effective_rank(rows) == pytest.approx(4)


def test_only_the_ranks_see_a_cloud_in_a_thin_subspace():
    thin = gaussian(512, 4) @ gaussian(4, 128, seed=1)
    assert spread(thin) == pytest.approx(0.0841, abs=0.005)
    assert abs(mean_cosine(thin)) < 0.05
    assert all(measure(thin) < 4.001 for measure in RANKS)


@pytest.mark.parametrize(("noise", "value"), [(1.0, 0.0625), (0.1, 0.0088), (0.01, 0.0009)])
def test_the_spread_falls_as_a_cloud_shrinks_towards_one_direction(noise, value):
    direction = torch.nn.functional.normalize(gaussian(1, 128, seed=3))
    cloud = direction + noise * gaussian(2000, 128, seed=4) / math.sqrt(128)
    assert spread(cloud) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_that_are_all_alike_are_a_complete_collapse(dtype):
    rows = gaussian(1, 128).to(dtype).expand(512, 128)
    assert spread(rows) == pytest.approx(0, abs=1e-12)
    assert mean_cosine(rows) == pytest.approx(1)
    assert rankme(rows) == pytest.approx(1, abs=1e-3)
    assert effective_rank(rows) == 1
    assert participation_ratio(rows) == 1


def test_the_dust_of_rounding_is_no_rank():
    dust = 1 + 6e-8 * gaussian(512, 128)
    assert effective_rank(dust) == 1
    assert participation_ratio(dust) == 1


def test_rows_of_zeros_have_a_defined_answer():
    rows = torch.zeros(8, 3)
    assert spread(rows) == 0
    assert mean_cosine(rows) == 0
    assert [measure(rows) for measure in RANKS] == [1, 1, 1]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_makes_the_answer_nan(measure, wrong):
    rows = example()
    rows[3, 2] = wrong
    assert math.isnan(measure(rows))


@pytest.mark.parametrize("measure", MEASURES)
def test_fewer_than_two_rows_say_nothing(measure):
    assert math.isnan(measure(torch.ones(1, 4)))
    assert math.isnan(measure(torch.ones(0, 4)))


@pytest.mark.parametrize("measure", MEASURES)
def test_turning_reordering_and_scaling_the_cloud_change_nothing(measure):
    rows = example()
    turn = torch.linalg.qr(gaussian(5, 5, seed=2).double()).Q
    expected = measure(rows)
    if measure is not spread:  # the only one that depends on the axes
        assert measure(rows @ turn) == pytest.approx(expected, abs=1e-9)
    assert measure(rows.flip(0)) == pytest.approx(expected, abs=1e-9)
    for scale in (7.0, 1e-200, 1e200):
        assert measure(scale * rows) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_measuring_leaves_gradients_and_numbers_alone(measure):
    rows = example().requires_grad_()
    before = rows.detach().clone()
    measure(rows)
    assert rows.grad is None
    assert torch.equal(rows.detach(), before)
