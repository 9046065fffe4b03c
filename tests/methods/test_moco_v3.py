"""MoCo v3's loss, its steady copy, and its frozen patches."""

from math import log

import pytest
import torch
from given import Z1, Z2, equal_rows, is_close, random_pair, rotation, small, views_of
from torch.nn import functional as F

from selfsight.methods.moco_v3 import MoCoV3, contrastive_loss
from selfsight.nets.encoder import build_encoder

NARROW = {"hidden": 32, "projection": 16}


def test_both_directions_sum_to_the_reference_value() -> None:
    loss = contrastive_loss(Z1, Z2, temperature=0.2) + contrastive_loss(Z2, Z1, temperature=0.2)
    assert is_close(loss, 0.05949073)


def test_one_direction_is_twice_the_temperature_times_the_cross_view_reference() -> None:
    assert is_close(contrastive_loss(Z1, Z2, temperature=0.5), 0.36490631)  # 2 x 0.5 = 1


def test_the_loss_is_what_loops_give_and_has_no_negatives_of_the_same_view() -> None:
    q, k = F.normalize(Z1, dim=1), F.normalize(Z2, dim=1)
    total = 0.0
    for i in range(4):
        terms = [torch.exp(q[i] @ key / 0.3) for key in k]
        total += -0.6 * torch.log(terms[i] / sum(terms)) / 4
    assert is_close(contrastive_loss(Z1, Z2, temperature=0.3), float(total), within=1e-12)


def test_equal_rows_give_exactly_the_logarithm_of_the_batch() -> None:
    loss = contrastive_loss(equal_rows(8, 5), equal_rows(8, 5), temperature=0.1)
    assert is_close(loss, 0.2 * log(8), within=1e-12)


def test_keys_get_no_gradient() -> None:
    q, k = (rows.clone().requires_grad_() for rows in (Z1, Z2))
    contrastive_loss(q, k, temperature=0.2).backward()
    assert q.grad is not None and q.grad.norm() > 0
    assert k.grad is None


def test_order_length_and_rotation_do_not_matter() -> None:
    value = contrastive_loss(Z1, Z2, temperature=0.2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    for q, k in [(Z1[order], Z2[order]), (7 * Z1, 0.3 * Z2), (Z1 @ turn, Z2 @ turn)]:
        assert is_close(contrastive_loss(q, k, temperature=0.2), value, within=1e-9)


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    method, (q, k) = small("moco_v3"), random_pair(columns=256)
    loss = contrastive_loss(q, k, temperature=0.2) + contrastive_loss(k, q, temperature=0.2)
    assert loss.item() == pytest.approx(method.knows_nothing(256), rel=0.025)
    assert method.collapsed(256) == pytest.approx(0.8 * log(256))


def test_each_view_is_compared_with_the_slow_copy_of_the_other() -> None:
    method = small("moco_v3", **NARROW)
    views = views_of(method)
    qa, qb = (method.predictor(method.projector(method.encoder(view))) for view in views)
    ka, kb = (method.slow(view) for view in views)
    expected = contrastive_loss(qa, kb, temperature=0.2) + contrastive_loss(qb, ka, temperature=0.2)
    torch.testing.assert_close(method(views, 0.0).loss, expected)
    torch.testing.assert_close(method(views[::-1], 0.0).loss, expected)  # symmetric


@pytest.mark.parametrize(("progress", "kept"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_momentum_rises_to_one(progress: float, kept: float) -> None:
    method = small("moco_v3", momentum=0.9, **NARROW)
    slow, fast = method.slow.network[1][0].weight, method.projector[0].weight
    before = slow.clone()
    with torch.no_grad():
        fast.add_(1.0)
    method.after_step(progress)
    torch.testing.assert_close(slow, before + 1 - kept)


def test_a_transformer_keeps_its_random_patch_projection() -> None:
    encoder = build_encoder("vit_tiny", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    method = MoCoV3(encoder, **NARROW)
    assert not any(weight.requires_grad for weight in encoder.network.patch_embed.parameters())
    given = {id(weight) for group in method.param_groups() for weight in group["params"]}
    assert id(encoder.network.patch_embed.proj.weight) not in given
    assert id(encoder.network.blocks[0].attn.qkv.weight) in given
