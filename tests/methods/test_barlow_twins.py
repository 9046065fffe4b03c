"""Barlow Twins' loss: values, gradient, and how a collapse looks."""

import pytest
import torch
from given import (
    A,
    B,
    assert_gradient,
    equal_rows,
    gradient,
    is_close,
    random_pair,
    rotation,
    small,
    views_of,
)

from selfsight.methods.barlow_twins import barlow_twins_loss, mean_agreement

NARROW = {"projection": 32}


def test_the_loss_has_the_reference_value() -> None:
    assert is_close(barlow_twins_loss(A, B), 0.01152086)


def test_identical_views_have_the_reference_value_of_the_biased_variance() -> None:
    assert is_close(barlow_twins_loss(A, A), 0.00744642)  # 0.068 with the unbiased one


def test_the_gradient_has_the_reference_value() -> None:
    assert_gradient(
        lambda za: barlow_twins_loss(za, B),
        at=A,
        first_row=[-0.018168, 0.002533, 0.000146, -0.013301],
        length=0.032786,
    )


def test_the_loss_is_what_loops_over_equation_1_give() -> None:
    za, zb = ((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in (A, B))
    total = 0.0
    for i in range(4):
        for j in range(4):
            c = float(za[:, i] @ zb[:, j]) / 8
            total += (1 - c) ** 2 if i == j else 0.0051 * c**2
    assert is_close(barlow_twins_loss(A, B), total, within=1e-12)


def test_both_views_get_a_gradient() -> None:
    assert gradient(lambda zb: barlow_twins_loss(A, zb), B).norm() > 1e-3


def test_equal_rows_give_exactly_the_number_of_dimensions() -> None:
    rows = equal_rows(16, 5)
    assert is_close(barlow_twins_loss(rows, rows), 5.0, within=1e-9)


def test_equal_dimensions_give_the_weight_times_the_pairs() -> None:
    column = torch.linspace(-10, 10, 16, dtype=torch.float64)[:, None].expand(16, 8)
    assert is_close(barlow_twins_loss(column, column), 0.0051 * 8 * 7, within=1e-5)


def test_views_order_and_length_do_not_matter_but_a_rotation_does() -> None:
    value = barlow_twins_loss(A, B).item()
    order, turn = torch.tensor([2, 0, 3, 1, 7, 5, 4, 6]), rotation(4)
    assert is_close(barlow_twins_loss(B, A), value, within=1e-12)
    assert is_close(barlow_twins_loss(A[order], B[order]), value, within=1e-12)
    assert is_close(barlow_twins_loss(7 * A, 7 * B), value, within=1e-5)
    assert not is_close(barlow_twins_loss(A @ turn, B @ turn), value, within=1e-4)


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    method = small("barlow_twins", projection=128)
    loss = barlow_twins_loss(*random_pair())
    assert loss.item() == pytest.approx(method.knows_nothing(256), abs=6)
    assert method.collapsed(256) == 128


def test_bfloat16_inputs_are_summed_in_full_precision() -> None:
    za, zb = random_pair()
    exact = barlow_twins_loss(za, za + zb).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = barlow_twins_loss(za.bfloat16(), (za + zb).bfloat16())
    assert halved.item() == pytest.approx(exact, rel=1e-2)


def test_agreement_is_1_for_identical_views_and_0_for_constant_ones() -> None:
    assert is_close(mean_agreement(A, A), 1.0, within=1e-4)
    assert is_close(mean_agreement(equal_rows(8, 4), equal_rows(8, 4)), 0.0)


def test_the_watched_vectors_are_not_normalised() -> None:
    method = small("barlow_twins", **NARROW)
    views = views_of(method)
    with torch.no_grad():
        method.projector[-1].weight.mul_(1e-4)  # as in a collapse
    step = method(views, 0.0)
    assert step.watched.abs().max() < 1e-2
    assert not any("Norm" in type(layer).__name__ for layer in method.projector[-1:])


def test_the_step_is_the_loss_of_views_passed_one_by_one() -> None:
    method = small("barlow_twins", off_diagonal=0.1, **NARROW)
    views = views_of(method)
    za, zb = (method.projector(method.encoder(view)) for view in views)
    expected = barlow_twins_loss(za, zb, off_diagonal=0.1)
    torch.testing.assert_close(method(views, 0.0).loss, expected)
