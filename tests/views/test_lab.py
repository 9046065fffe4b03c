"""sRGB and Lab against the standards by hand, published colours and identities."""

import pytest
import torch

from selfsight.views.colour_bins import colour_bins, rarity, soft_code
from selfsight.views.lab import lab_to_srgb, srgb_to_lab

PUBLISHED = {  # sRGB: L, a, b under D65, two decimals
    (1.0, 1.0, 1.0): (100.0, 0.0, 0.0),
    (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0): (53.24, 80.09, 67.20),
    (0.0, 1.0, 0.0): (87.73, -86.18, 83.18),
    (0.0, 0.0, 1.0): (32.30, 79.19, -107.86),
}


def by_hand(red: float, green: float, blue: float) -> list[float]:
    def linear(v: float) -> float:
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4

    def root(t: float) -> float:
        return t ** (1 / 3) if t > (6 / 29) ** 3 else t * (29 / 6) ** 2 / 3 + 4 / 29

    r, g, b = linear(red), linear(green), linear(blue)
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = (0.2126729 * r + 0.7151522 * g + 0.0721750 * b) / 1.0
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    return [116 * root(y) - 16, 500 * (root(x) - root(y)), 200 * (root(y) - root(z))]


@pytest.mark.parametrize(("colour", "expected"), PUBLISHED.items())
def test_the_corners_have_their_published_values(colour, expected) -> None:
    lab = srgb_to_lab(torch.tensor(colour)[None, :, None, None]).flatten()
    torch.testing.assert_close(lab, torch.tensor(expected), rtol=0, atol=0.02)


def test_every_pixel_agrees_with_the_formulas_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64)
    images[0, :, 0] *= 0.02  # the linear ends of both curves
    lab = srgb_to_lab(images)
    for image, colours in zip(images, lab, strict=True):
        for row in range(5):
            for column in range(4):
                expected = torch.tensor(by_hand(*image[:, row, column].tolist())).double()
                torch.testing.assert_close(colours[:, row, column], expected, rtol=0, atol=1e-3)


def test_there_and_back_is_the_image() -> None:
    images = torch.rand(3, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    images[0] *= 0.03
    torch.testing.assert_close(lab_to_srgb(srgb_to_lab(images)), images, rtol=0, atol=2e-5)


def test_greys_have_no_colour() -> None:
    greys = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
    lab = srgb_to_lab(greys)
    assert lab[:, 1:].abs().max() < 1e-3
    assert (lab[0, 0, 0].diff() > 0).all()


def test_half_precision_around_it_changes_nothing() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = srgb_to_lab(images)
    assert torch.equal(inside, srgb_to_lab(images))


def test_every_screen_colour_lies_in_a_bin_or_next_to_one() -> None:
    bins = colour_bins(grid=10.0)
    assert 255 <= len(bins) <= 265
    assert len(bins.unique(dim=0)) == len(bins)
    assert torch.equal(bins, (bins / 10).round() * 10)
    images = torch.rand(8, 3, 40, 40, generator=torch.Generator().manual_seed(3))
    ab = srgb_to_lab(images)[:, 1:].permute(0, 2, 3, 1).reshape(-1, 2)
    assert torch.cdist(ab, bins).min(1).values.max() < 50**0.5 + 1


def test_a_soft_code_is_a_distribution_over_the_nearest_bins() -> None:
    bins = colour_bins(grid=10.0)
    ab = torch.rand(2, 2, 3, 4, generator=torch.Generator().manual_seed(4)) * 40 - 20
    codes = soft_code(ab, bins, neighbours=5, sigma=5.0)
    for image in range(2):
        for row in range(3):
            for column in range(4):
                distance = (bins - ab[image, :, row, column]).norm(dim=1)
                shares = torch.exp(-(distance**2) / (2 * 5**2))
                shares[distance.argsort()[5:]] = 0
                expected = shares / shares.sum()
                torch.testing.assert_close(codes[image, :, row, column], expected)


def test_a_colour_on_a_bin_has_its_four_neighbours_at_exp_minus_two() -> None:
    bins = colour_bins(grid=10.0)
    code = soft_code(torch.zeros(1, 2, 1, 1), bins, neighbours=5, sigma=5.0).flatten()
    own = 1 / (1 + 4 * torch.exp(torch.tensor(-2.0)))
    torch.testing.assert_close(code.max(), own)
    assert bins[code.argmax()].tolist() == [0, 0]
    assert (code > 0).sum() == 5


def test_rare_colours_weigh_more_and_the_mean_weight_is_one() -> None:
    prior = torch.tensor([0.7, 0.2, 0.1, 0.0])
    weights = rarity(prior, uniform=0.5)
    by_hand = 1 / (0.5 * prior + 0.5 / 4)
    torch.testing.assert_close(weights, by_hand / (prior * by_hand).sum())
    torch.testing.assert_close((prior * weights).sum(), torch.tensor(1.0))
    assert (weights.diff() > 0).all()
    torch.testing.assert_close(rarity(prior, uniform=1.0), torch.ones(4))
