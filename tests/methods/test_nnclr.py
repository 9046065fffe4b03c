"""NNCLR's loss, its look-up, and the order of look-up and enqueueing."""

from math import log

import pytest
import torch
from given import QUEUE, Z1, Z2, equal_rows, is_close, random_pair, rotation, small, views_of
from torch.nn import functional as F

from selfsight.method import Situation
from selfsight.methods.nnclr import NNCLR, nearest_neighbour_loss

NARROW = {"queue": 32, "hidden": 32, "predicting": 32, "projection": 16}


def test_a_queue_of_the_own_vectors_gives_the_cross_view_reference_value() -> None:
    loss = nearest_neighbour_loss(Z1, Z2, F.normalize(Z1, dim=1), temperature=0.5)
    assert is_close(loss, 0.36490631)


def test_the_mean_of_both_directions_has_the_reference_value() -> None:
    queues = F.normalize(Z1, dim=1), F.normalize(Z2, dim=1)
    first = nearest_neighbour_loss(Z1, Z2, queues[0], temperature=0.5)
    second = nearest_neighbour_loss(Z2, Z1, queues[1], temperature=0.5)
    assert is_close((first + second) / 2, 0.35561540)


def test_the_loss_is_what_loops_over_the_other_view_give() -> None:
    z, p = F.normalize(Z1, dim=1), F.normalize(Z2, dim=1)
    total = 0.0
    for i in range(4):
        neighbour = max(QUEUE, key=lambda row, i=i: float(z[i] @ row))
        terms = [torch.exp(neighbour @ prediction / 0.3) for prediction in p]
        total += -torch.log(terms[i] / sum(terms)) / 4
    assert is_close(nearest_neighbour_loss(Z1, Z2, QUEUE, temperature=0.3), float(total))


def test_equal_predictions_give_exactly_the_logarithm_of_the_batch() -> None:
    loss = nearest_neighbour_loss(Z1, equal_rows(4, 3), QUEUE, temperature=0.1)
    assert is_close(loss, log(4), within=1e-12)


def test_only_predictions_get_a_gradient() -> None:
    z, p, queue = (rows.clone().requires_grad_() for rows in (Z1, Z2, QUEUE))
    nearest_neighbour_loss(z, p, queue, temperature=0.2).backward()
    assert p.grad is not None and p.grad.norm() > 0
    assert z.grad is None and queue.grad is None


def test_order_length_and_rotation_do_not_matter() -> None:
    value = nearest_neighbour_loss(Z1, Z2, QUEUE, temperature=0.2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    same = [
        (Z1[order], Z2[order], QUEUE.flip(0)),
        (7 * Z1, 0.3 * Z2, 2 * QUEUE),
        (Z1 @ turn, Z2 @ turn, QUEUE @ turn),
    ]
    for z, p, queue in same:
        loss = nearest_neighbour_loss(z, p, queue, temperature=0.2)
        assert is_close(loss, value, within=1e-9)


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    method, (z, p) = small("nnclr"), random_pair(columns=256)
    loss = nearest_neighbour_loss(z, p, method.queue.rows, temperature=0.2)
    assert loss.item() == pytest.approx(method.knows_nothing(256), rel=0.025)
    assert method.collapsed(256) == pytest.approx(log(256))


def test_neighbours_are_looked_up_before_the_projections_join_the_queue() -> None:
    method = small("nnclr", **NARROW)
    views, before = views_of(method), method.queue.rows.clone()
    za, zb = (method.projector(method.encoder(view)) for view in views)
    pa, pb = method.predictor(za), method.predictor(zb)
    expected = (
        nearest_neighbour_loss(za, pb, before, temperature=0.2)
        + nearest_neighbour_loss(zb, pa, before, temperature=0.2)
    ) / 2
    torch.testing.assert_close(method(views, 0.0).loss, expected)
    torch.testing.assert_close(method.queue.rows[:8], F.normalize(za, dim=1).detach())
    assert torch.equal(method.queue.rows[8:], before[8:])


def test_the_log_says_how_many_images_have_one_neighbour_for_both_views() -> None:
    method = small("nnclr", **NARROW)
    one, other = views_of(method)
    assert method([one, one], 0.0).logs["same_neighbour"] == 1
    method.queue.rows = F.normalize(torch.randn(4000, 16), dim=1)
    assert method([one, other], 0.0).logs["same_neighbour"] < 1


def test_the_queue_suits_the_number_of_images() -> None:
    (adjustment,) = NNCLR.suited(Situation(images=2000, batch=100, image_size=32))
    assert (adjustment.setting, adjustment.value) == ("queue", 1000)
    assert "2,000 images" in adjustment.reason
    assert NNCLR.suited(Situation(images=9000, batch=256, image_size=32)) == []
