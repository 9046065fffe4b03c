"""Directions on which views agree: the closed form against what must hold of it."""

import torch
from torch import Tensor

from selfsight.nets.invariance import RIDGE, Moments


def pairs(count: int = 4000) -> tuple[Tensor, Tensor]:
    """Return two views: two shared directions, one loud and all noise, one constant number."""
    torch.manual_seed(0)
    shared, turn = torch.randn(count, 2), torch.linalg.qr(torch.randn(4, 4)).Q

    def view() -> Tensor:
        noisy = [
            shared[:, :1] + 0.1 * torch.randn(count, 1),
            shared[:, 1:] + 0.7 * torch.randn(count, 1),
            5 * torch.randn(count, 1),
            0.2 * torch.randn(count, 1),
        ]
        return torch.cat([torch.cat(noisy, 1) @ turn + 3, torch.full((count, 1), 2.0)], 1)

    return view(), view()


def measured(parts: int = 1) -> tuple[Moments, Tensor, Tensor]:
    first, second = pairs()
    moments = Moments(5, device=torch.device("cpu"))
    for one, two in zip(first.chunk(parts), second.chunk(parts), strict=True):
        moments.add(one, two)
    return moments, first.double(), second.double()


def test_what_views_share_comes_first_and_noise_is_silenced() -> None:
    moments, first, second = measured()
    mean, scale = moments.scaling()
    found = [(part - mean) * scale @ moments.directions(4) for part in (first, second)]
    agreement = [
        float(torch.corrcoef(torch.stack([one, two]))[0, 1])
        for one, two in zip(found[0].T, found[1].T, strict=True)
    ]
    assert agreement[0] > 0.95
    assert 0.5 < agreement[1] < 0.8  # 1 / (1 + 0.7**2)
    loudness = found[0].std(0)
    assert loudness[0] > loudness[1] > 5 * loudness[2]


def test_directions_solve_the_generalised_eigenproblem() -> None:
    moments, first, second = measured()
    mean, scale = moments.scaling()
    first, second = ((part - mean) * scale for part in (first, second))
    differing = (first - second).T @ (first - second) / (2 * len(first))
    middle = (first + second) / 2
    shared = middle.T @ middle / len(first) - differing / 2
    within = differing + RIDGE * torch.eye(5)
    weighted = moments.directions(5)
    weights = (weighted.T @ within @ weighted).diagonal().sqrt()
    directions = (weighted / weights)[:, weights > 1e-9]
    ratios = (directions.T @ shared @ directions).diagonal()
    torch.testing.assert_close(
        shared @ directions, within @ directions * ratios, rtol=1e-3, atol=2e-4
    )
    torch.testing.assert_close(weights[: len(ratios)], ratios / (ratios + 1), rtol=1e-3, atol=1e-4)


def test_means_and_deviations_are_those_of_all_views_and_constants_are_left_out() -> None:
    moments, first, second = measured(parts=7)
    both = torch.cat([first, second])
    mean, scale = moments.scaling()
    torch.testing.assert_close(mean, both.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(1 / scale[:4], both.std(0, correction=0)[:4], rtol=1e-5, atol=0)
    assert scale[4] == 0
    torch.testing.assert_close(
        moments.directions(2).abs(), measured()[0].directions(2).abs(), rtol=1e-4, atol=1e-4
    )


def test_constants_whose_sums_are_rounded_are_left_out_too() -> None:
    constants = torch.linspace(1e-3, 1, 50)  # few of them are binary numbers
    moments = Moments(50, device=torch.device("cpu"))
    for rows in (250, 250, 17):
        moments.add(constants.expand(rows, -1), constants.expand(rows, -1))
    assert not moments.scaling()[1].any()


def test_fewer_pairs_than_features_still_have_directions() -> None:
    torch.manual_seed(0)
    moments = Moments(40, device=torch.device("cpu"))
    moments.add(torch.randn(6, 40), torch.randn(6, 40))
    assert torch.isfinite(moments.directions(50)).all()
    assert moments.directions(50).shape == (40, 40)
