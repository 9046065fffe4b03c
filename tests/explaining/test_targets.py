"""The scalar that is explained: what it equals, and where its gradient vanishes."""

import numpy as np
import pytest
import torch
from made_up_images import scenes
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.explaining.aims import VIEWS, other_views
from selfsight.explaining.groups import clusters_of, neighbours
from selfsight.explaining.probe import fit_probe
from selfsight.explaining.targets import ClassOf, Similarity, all_rows


def some_features(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(0)).double()


def test_the_score_of_a_similarity_is_the_cosine_less_the_mean_cosine_with_the_foil() -> None:
    features, references, others = some_features(3), some_features(6)[3:], some_features(9)[6:]
    foil = F.normalize(others, dim=1).mean(0)
    found = Similarity(references, foil).score(features, torch.arange(3))
    for row in range(3):
        cosine = F.cosine_similarity(features[row], references[row], dim=0)
        foils = F.cosine_similarity(features[row][None], others).mean()
        assert found[row] == pytest.approx(float(cosine - foils))


def test_the_cosine_with_itself_has_no_gradient_and_the_inner_product_has() -> None:
    feature = some_features(1).requires_grad_()
    itself = Similarity(feature.detach(), torch.zeros(5).double())
    row = torch.tensor([0])
    (of_cosine,) = torch.autograd.grad(itself.score(feature, row).sum(), feature)
    (of_product,) = torch.autograd.grad(itself.linear(feature, row).sum(), feature)
    assert of_cosine.abs().max() < 1e-15
    assert of_product.norm() == pytest.approx(1.0)


def test_rows_say_which_image_a_feature_belongs_to() -> None:
    target = Similarity(some_features(3), torch.zeros(5).double())
    features = some_features(2)
    rows = torch.tensor([2, 0])
    alone = [target.part(rows[place : place + 1]) for place in range(2)]
    for place in range(2):
        one = alone[place].linear(features[place : place + 1], torch.tensor([0]))
        assert target.linear(features, rows)[place] == one[0]


def test_a_class_is_scored_by_its_probability_and_differentiated_by_its_logit() -> None:
    weights, offsets = some_features(5)[:, :3], torch.tensor([0.1, -0.2, 0.3]).double()
    target = ClassOf(weights, offsets, torch.tensor([2, 0]))
    features = some_features(2)
    logits = features @ weights + offsets
    rows = all_rows(features)
    assert torch.equal(target.score(features, rows), logits.softmax(1)[rows, [2, 0]])
    torch.testing.assert_close(target.linear(features, rows), logits[rows, [2, 0]] - logits.mean(1))
    assert (
        target.part(torch.tensor([1])).score(features[1:], rows[:1])[0]
        == target.score(features, rows)[1]
    )


def test_the_probe_answers_for_features_as_they_are() -> None:
    features = some_features(40) * 5 + 3
    labels = (features[:, 0] > 3).long().numpy() * 2  # classes 0 and 2; class 1 has no image
    labels[:3] = -1
    weights, offsets = fit_probe(features, labels, classes=3)
    read = (features @ weights + offsets).argmax(1).numpy()
    assert (read[3:] == labels[3:]).mean() > 0.85
    with pytest.raises(UserError, match="two or more classes"):
        fit_probe(features, np.zeros(40, dtype=np.int64), classes=1)


def test_a_view_is_never_the_image_itself_and_repeats_with_its_seed() -> None:
    images = scenes(3, seed=0)[0]
    views = other_views(images, seed=1)
    assert views.shape == (3 * VIEWS, 3, 32, 32)
    for row, view in enumerate(views):
        assert (view - images[row // VIEWS]).abs().max() > 0.05
    assert torch.equal(views, other_views(images, seed=1))
    assert other_views(torch.rand(1, 5, 24, 32), seed=0).shape == (VIEWS, 5, 24, 24)


def test_neighbours_and_clusters_leave_the_image_out() -> None:
    directions = torch.eye(4).repeat_interleave(6, dim=0)
    features = directions + 0.05 * torch.randn(24, 4, generator=torch.Generator().manual_seed(2))
    rows = np.array([0, 7, 20])
    near = neighbours(features, rows, count=3)
    groups = clusters_of(features, rows, seed=0)
    for place, row in enumerate(rows):
        assert row not in near[place]
        assert row not in groups[place]
        assert {int(other) // 6 for other in near[place]} == {row // 6}
        assert {int(other) // 6 for other in groups[place]} == {row // 6}
    with pytest.raises(UserError, match="no neighbours"):
        neighbours(features[:1], np.array([0]), count=1)
    with pytest.raises(UserError, match="make no clusters"):
        clusters_of(features[:5], np.array([0]), seed=0)
