"""MoCo's loss, its queue, its keys, and the plain encoder that comes out."""

from copy import deepcopy
from math import log

import pytest
import torch
from given import (
    QUEUE,
    Z1,
    Z2,
    assert_gradient,
    equal_rows,
    is_close,
    random_pair,
    rotation,
    small,
    views_of,
)
from torch.nn import functional as F

from selfsight.assemble import suited
from selfsight.errors import UserError
from selfsight.method import Situation
from selfsight.methods.moco import MoCo, info_nce
from selfsight.nets.encoder import build_encoder
from selfsight.nets.split_batch_norm import SplitBatchNorm
from selfsight.settings import Settings

NARROW = {"queue": 32, "hidden": 32, "projection": 16, "splits": 1}


@pytest.mark.parametrize(("temperature", "value"), [(0.07, 1.97403707), (0.2, 1.15419943)])
def test_the_loss_has_the_reference_value(temperature: float, value: float) -> None:
    assert is_close(info_nce(Z1, Z2, QUEUE, temperature=temperature), value)


def test_the_gradient_has_the_reference_value() -> None:
    assert_gradient(
        lambda q: info_nce(q, Z2, QUEUE, temperature=0.2),
        at=Z1,
        first_row=[-0.445926, -0.130668, -0.420699],
        length=0.631983,
    )


def test_keys_and_queue_get_no_gradient() -> None:
    q, k, queue = (rows.clone().requires_grad_() for rows in (Z1, Z2, QUEUE))
    info_nce(q, k, queue, temperature=0.2).backward()
    assert q.grad is not None
    assert k.grad is None and queue.grad is None


def test_the_loss_is_what_loops_over_equation_1_give() -> None:
    q, k = F.normalize(Z1, dim=1), F.normalize(Z2, dim=1)
    total = 0.0
    for i in range(4):
        key = torch.exp(q[i] @ k[i] / 0.3)
        others = sum(torch.exp(q[i] @ row / 0.3) for row in QUEUE)
        total += -torch.log(key / (key + others)) / 4
    assert is_close(info_nce(Z1, Z2, QUEUE, temperature=0.3), float(total), within=1e-12)


def test_equal_rows_give_exactly_the_logarithm_of_one_more_than_the_queue() -> None:
    loss = info_nce(equal_rows(8, 5), equal_rows(8, 5), equal_rows(64, 5), temperature=0.07)
    assert is_close(loss, log(65), within=1e-12)


def test_order_length_and_rotation_do_not_matter() -> None:
    value = info_nce(Z1, Z2, QUEUE, temperature=0.2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    same = [
        (Z1[order], Z2[order], QUEUE.flip(0)),
        (7 * Z1, 0.3 * Z2, 2 * QUEUE),
        (Z1 @ turn, Z2 @ turn, QUEUE @ turn),
    ]
    for q, k, queue in same:
        assert is_close(info_nce(q, k, queue, temperature=0.2), value, within=1e-9)


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    method = small("moco", temperature=0.1)
    loss = info_nce(*random_pair(), method.queue.rows, temperature=0.1)
    assert loss.item() == pytest.approx(method.knows_nothing(256), rel=0.025)
    assert method.collapsed(256) == pytest.approx(8.318010)


def test_keys_join_the_queue_after_the_loss() -> None:
    method = small("moco", **NARROW)
    views, before = views_of(method), method.queue.rows.clone()
    q, k = method.projector(method.encoder(views[0])), method.slow(views[1])
    expected = info_nce(q, k, before, temperature=method.temperature)
    torch.testing.assert_close(method(views, 0.0).loss, expected)
    torch.testing.assert_close(method.queue.rows[:8], F.normalize(k, dim=1))
    assert torch.equal(method.queue.rows[8:], before[8:])
    assert method.queue.pointer == 8


def test_no_direction_of_the_symmetric_loss_meets_a_key_of_the_same_images() -> None:
    method = small("moco", directions="both", **NARROW)
    views, before = views_of(method), method.queue.rows.clone()
    qa, qb = (method.projector(method.encoder(view)) for view in views)
    ka, kb = (method.slow(view) for view in views)
    each = [info_nce(q, k, before, temperature=method.temperature) for q, k in [(qa, kb), (qb, ka)]]
    torch.testing.assert_close(method(views, 0.0).loss, sum(each) / 2)
    torch.testing.assert_close(method.queue.rows[:16], F.normalize(torch.cat([kb, ka]), dim=1))
    assert method.queue.pointer == 16


def test_the_slow_copy_moves_after_the_step_by_the_momentum() -> None:
    method = small("moco", momentum=0.9, **NARROW)
    before = deepcopy(method.slow.network[1][0].weight)
    with torch.no_grad():
        method.projector[0].weight.add_(1.0)
    method(views_of(method), 0.0)
    assert torch.equal(method.slow.network[1][0].weight, before)
    method.after_step(0.0)
    torch.testing.assert_close(method.slow.network[1][0].weight, before + 0.1)


def test_the_slow_copy_trains_its_own_statistics_but_no_weight() -> None:
    method = small("moco", **NARROW)
    before = deepcopy(method.slow.state_dict())
    method(views_of(method), 0.0).loss.backward()
    after = method.slow.state_dict()
    changed = {key.rsplit(".", 1)[1] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}
    assert not any(weight.requires_grad for weight in method.slow.parameters())


def test_queue_and_pointer_are_in_the_checkpoint() -> None:
    method = small("moco", **NARROW)
    method(views_of(method), 0.0)
    fresh = small("moco", **NARROW)
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(fresh.queue.rows, method.queue.rows)
    assert fresh.queue.pointer == 8


def test_batch_norm_is_split_in_both_networks_and_the_head_has_none() -> None:
    method = small("moco", splits=4)
    for network in (method.encoder, method.slow):
        assert sum(isinstance(part, SplitBatchNorm) for part in network.modules()) == 5
    assert not any("Norm" in type(part).__name__ for part in method.projector.modules())


def test_the_exported_encoder_is_a_plain_one() -> None:
    method = small("moco", splits=4)
    for _ in range(3):
        method(views_of(method), 0.0)
    exported = method.exported
    plain = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    plain.load_state_dict(exported.state_dict())
    images = views_of(method)[0]
    torch.testing.assert_close(exported.encode(images), plain.encode(images))
    torch.testing.assert_close(exported.encode(images), method.encoder.encode(images))
    torch.testing.assert_close(exported.encode(images[:1]), plain.encode(images)[:1])
    assert any(isinstance(part, SplitBatchNorm) for part in method.encoder.modules())


def test_accuracy_is_the_share_of_queries_whose_key_is_the_nearest() -> None:
    method = small("moco", **NARROW)
    step = method(views_of(method), 0.0)
    assert step.logs["accuracy"] == 1  # a network that sees noise images as alike, noise as not
    method.queue.rows = F.normalize(step.watched.detach().repeat(4, 1), dim=1)  # the queries
    assert method(views_of(method), 0.0).logs["accuracy"] == 0


def test_the_settings_suit_few_images_and_a_small_batch() -> None:
    found = MoCo.suited(Situation(images=1000, batch=64, image_size=32))
    values = {adjustment.setting: adjustment.value for adjustment in found}
    assert values == {"queue": 448, "momentum": pytest.approx(0.997491)}
    assert MoCo.suited(Situation(images=50_000, batch=256, image_size=32)) == []


def test_odd_batches_get_fewer_groups() -> None:
    found = MoCo.suited(Situation(images=50_000, batch=50, image_size=32))
    assert {adjustment.setting: adjustment.value for adjustment in found}["splits"] == 2


def test_chunks_get_groups_that_are_not_too_small() -> None:
    said: list[str] = []
    settings = Settings(method="moco", batch=1024, chunk=32)
    assert suited(MoCo, {}, settings=settings, images=50_000, say=said.append) == {"splits": 2}
    assert said == ["splits = 2: a chunk of 32 gives 2 equal groups of 16 or more images"]


@pytest.mark.parametrize(
    "wrong", [{"queue": 0}, {"temperature": 0.0}, {"momentum": 1.0}, {"splits": 0}]
)
def test_a_setting_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        small("moco", **wrong)
