"""BYOL's loss, its target, and its two augmentations."""

import pytest
import torch
from given import Z1, Z2, assert_gradient, is_close, random_pair, rotation, small, views_of

from selfsight.method import Situation
from selfsight.methods.byol import BYOL, cosine_distance

NARROW = {"hidden": 32, "projection": 16}


def test_the_loss_has_the_reference_value() -> None:
    assert is_close(cosine_distance(Z1, Z2), 0.19149054)


def test_the_gradient_has_the_reference_value() -> None:
    assert_gradient(
        lambda p: cosine_distance(p, Z2),
        at=Z1,
        first_row=[-0.196806, -0.050566, -0.187788],
        length=0.278026,
    )


def test_the_loss_is_the_squared_distance_of_unit_vectors() -> None:
    total = 0.0
    for p, z in zip(Z1, Z2, strict=True):
        total += float((p / p.norm() - z / z.norm()).square().sum()) / 4
    assert is_close(cosine_distance(Z1, Z2), total, within=1e-12)


def test_equal_directions_give_0_and_opposite_ones_4() -> None:
    assert is_close(cosine_distance(Z1, 3 * Z1), 0.0, within=1e-12)
    assert is_close(cosine_distance(Z1, -Z1), 4.0, within=1e-12)


def test_order_length_and_rotation_do_not_matter() -> None:
    value = cosine_distance(Z1, Z2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    for p, z in [(Z2, Z1), (Z1[order], Z2[order]), (7 * Z1, 0.3 * Z2), (Z1 @ turn, Z2 @ turn)]:
        assert is_close(cosine_distance(p, z), value, within=1e-9)


def test_targets_get_no_gradient() -> None:
    p, z = (rows.clone().requires_grad_() for rows in (Z1, Z2))
    cosine_distance(p, z).backward()
    assert p.grad is not None and z.grad is None


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    za, zb = random_pair()
    both = cosine_distance(za, zb) + cosine_distance(zb, za)
    assert both.item() == pytest.approx(small("byol", **NARROW).knows_nothing(256), abs=0.1)


def test_each_view_predicts_the_target_of_the_other_and_both_directions_are_summed() -> None:
    method = small("byol", **NARROW)
    views = views_of(method)
    pa, pb = (method.predictor(method.projector(method.encoder(view))) for view in views)
    ta, tb = (method.target(view) for view in views)
    expected = cosine_distance(pa, tb) + cosine_distance(pb, ta)
    torch.testing.assert_close(method(views, 0.0).loss, expected)


def test_the_target_starts_as_a_copy_without_predictor() -> None:
    method = small("byol", **NARROW)
    online = torch.nn.Sequential(method.encoder, method.projector).state_dict()
    target = method.target.network.state_dict()
    assert online.keys() == target.keys()
    assert all(torch.equal(online[key], target[key]) for key in online)
    assert not any(weight.requires_grad for weight in method.target.parameters())


@pytest.mark.parametrize(("progress", "kept"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_target_moves_after_the_step_with_rising_momentum(progress: float, kept: float) -> None:
    method = small("byol", momentum=0.9, **NARROW)
    slow, fast = method.target.network[1][0].weight, method.projector[0].weight
    before = slow.clone()
    with torch.no_grad():
        fast.add_(1.0)
    method(views_of(method), progress)
    assert torch.equal(slow, before)
    method.after_step(progress)
    torch.testing.assert_close(slow, before + 1 - kept)


def test_the_target_keeps_batch_statistics_of_its_own() -> None:
    method = small("byol", **NARROW)
    method(views_of(method), 0.0)
    (count, *_) = [
        value for key, value in method.target.state_dict().items() if key.endswith("tracked")
    ]
    assert count == 2  # one pass a view


def test_only_the_second_augmentation_solarises() -> None:
    first, second = small("byol", **NARROW).views.augmentations
    assert (first.solarise, second.solarise) == (0.0, 0.2)


def test_the_heads_last_layers_have_neither_bias_nor_norm() -> None:
    method = small("byol", **NARROW)
    for head in (method.projector, method.predictor):
        assert head[-1].bias is None
        assert head[0].bias is not None


def test_smaller_batches_move_the_target_less() -> None:
    (adjustment,) = BYOL.suited(Situation(images=5000, batch=128, image_size=32))
    assert adjustment.setting == "momentum"
    assert adjustment.value == pytest.approx(0.99**0.5, abs=1e-6)
    assert BYOL.suited(Situation(images=5000, batch=512, image_size=32)) == []
