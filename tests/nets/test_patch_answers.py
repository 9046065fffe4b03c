"""K-means patches: equal to the plain spelling, learnt without labels or luck."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from selfsight.nets.patch_answers import SIDE, PatchAnswers, _sampled, k_means, normalised


def learnt(*, stride: int = 1, seed: int = 0) -> PatchAnswers:
    torch.manual_seed(0)
    answers = PatchAnswers(channels=3, clusters=7, stride=stride)
    answers.learn(torch.randn(60, 3, 12, 10), seed=seed)
    return answers.double()


def spelled_out(answers: PatchAnswers, pixels: Tensor) -> Tensor:
    """Return what the paper says, one patch at a time."""
    found = []
    rows, columns = (range(0, side - SIDE + 1, answers.stride) for side in pixels.shape[2:])
    for top in rows:
        for left in columns:
            patch = normalised(pixels[:, :, top : top + SIDE, left : left + SIDE].flatten(1))
            white = (patch - answers.centre) @ answers.whitening
            distance = (white[:, None] - answers.centres).norm(dim=2)
            found.append((distance.mean(1, keepdim=True) - distance).clamp(min=0))
    return torch.stack(found, 2).unflatten(2, (len(rows), len(columns)))


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_give_what_the_plain_spelling_gives(stride: int) -> None:
    answers, pixels = learnt(stride=stride), torch.randn(4, 3, 9, 11, dtype=torch.float64)
    found = answers(pixels)
    assert found.shape == (4, 7, *(range(0, side - 5, stride).__len__() for side in (9, 11)))
    torch.testing.assert_close(found, spelled_out(answers, pixels), rtol=0, atol=1e-9)
    assert 0.1 < (found > 0).double().mean() < 0.9  # the triangle is sparse and not empty


def test_brightness_and_contrast_hardly_matter_to_a_patch() -> None:
    answers, pixels = learnt(), 3 * torch.randn(4, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(answers(2 * pixels + 1), answers(pixels), rtol=0.01, atol=0.01)


def test_whitened_patches_are_uncorrelated() -> None:
    torch.manual_seed(0)
    smooth = F.avg_pool2d(torch.randn(400, 3, 14, 14), 3, stride=1) * 3
    answers = PatchAnswers(channels=3, clusters=4, stride=1)
    answers.learn(smooth, seed=0)
    patches = F.unfold(smooth, SIDE).transpose(1, 2).flatten(0, 1)[::7]
    white = (normalised(patches) - answers.centre) @ answers.whitening

    def correlation(of: Tensor) -> float:
        matrix = torch.corrcoef(of.T)
        return float((matrix - torch.diag(matrix.diag())).abs().mean())

    assert correlation(white) < correlation(normalised(patches)) / 3


def test_k_means_finds_clusters_and_leaves_no_centre_empty() -> None:
    random = torch.Generator().manual_seed(0)
    places = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    points = (places[:, None] + 0.1 * torch.randn(3, 50, 2, generator=random)).flatten(0, 1)
    for seed in range(5):
        centres = k_means(points, clusters=6, random=torch.Generator().manual_seed(seed))
        assert torch.isfinite(centres).all()
        assert len(torch.cdist(points, centres).argmin(1).unique()) >= 3
    few = k_means(points[:4], clusters=6, random=random)
    assert few.shape == (6, 2)
    assert torch.isfinite(few).all()


def test_a_seed_decides_the_patches() -> None:
    one, again, other = learnt(), learnt(), learnt(seed=1)
    assert torch.equal(one.centres, again.centres)
    assert not torch.equal(one.centres, other.centres)
    assert not list(one.parameters())


def test_images_smaller_than_a_patch_are_answered() -> None:
    assert learnt()(torch.rand(2, 3, 4, 3, dtype=torch.float64)).shape == (2, 7, 1, 1)


def test_every_image_gives_as_many_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones too: images are in the order of their folders, which may be classes."""
    monkeypatch.setattr("selfsight.nets.patch_answers.SAMPLED", 10)
    images = torch.arange(7.0)[:, None, None, None].expand(-1, 3, 8, 8)
    patches = _sampled(images, torch.Generator().manual_seed(0))
    assert patches[:, 0].int().bincount().tolist() == [2] * 7
