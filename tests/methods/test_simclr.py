"""SimCLR's loss against reference values, loops and identities."""

from math import log

import pytest
import torch
from given import (
    Z1,
    Z2,
    assert_gradient,
    equal_rows,
    gradient,
    is_close,
    random_pair,
    rotation,
    small,
    views_of,
)
from torch.nn import functional as F

from selfsight.methods.simclr import nt_xent


@pytest.mark.parametrize(
    ("temperature", "value"), [(0.1, 0.02766945), (0.2, 0.13418079), (0.5, 0.60326699)]
)
def test_the_loss_has_the_reference_value(temperature: float, value: float) -> None:
    assert is_close(nt_xent(Z1, Z2, temperature=temperature), value)


def test_the_gradient_has_the_reference_value() -> None:
    assert_gradient(
        lambda z: nt_xent(z, Z2, temperature=0.5),
        at=Z1,
        first_row=[-0.201178, -0.095396, -0.178942],
        length=0.339500,
    )


def test_the_loss_is_what_loops_over_equation_1_give() -> None:
    z = F.normalize(torch.cat([Z1, Z2]), dim=1)
    total = 0.0
    for i in range(8):
        others = sum(torch.exp(z[i] @ z[k] / 0.3) for k in range(8) if k != i)
        total += -torch.log(torch.exp(z[i] @ z[(i + 4) % 8] / 0.3) / others) / 8
    assert is_close(nt_xent(Z1, Z2, temperature=0.3), float(total), within=1e-12)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equal_rows_give_exactly_the_logarithm_of_all_others(temperature: float) -> None:
    rows = equal_rows(16, 5)
    assert is_close(nt_xent(rows, rows, temperature=temperature), log(31), within=1e-12)


def test_views_order_length_and_rotation_do_not_matter() -> None:
    value = nt_xent(Z1, Z2, temperature=0.2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    same = [(Z2, Z1), (Z1[order], Z2[order]), (7 * Z1, 0.3 * Z2), (Z1 @ turn, Z2 @ turn)]
    for za, zb in same:
        assert is_close(nt_xent(za, zb, temperature=0.2), value, within=1e-9)
    assert not is_close(nt_xent(Z1[order], Z2, temperature=0.2), value)


def test_both_views_get_a_gradient() -> None:
    assert gradient(lambda z: nt_xent(Z1, z, temperature=0.2), Z2).norm() > 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast_cost_less_than_a_hundredth(dtype: torch.dtype) -> None:
    za, zb = random_pair()
    exact = nt_xent(za, za + zb, temperature=0.07).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert is_close(nt_xent(za, za + zb, temperature=0.07), exact, within=1e-6)
        halved = nt_xent(za.to(dtype), (za + zb).to(dtype), temperature=0.07)
    assert halved.dtype == torch.float32
    assert is_close(halved, exact, within=1e-2)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 0.5])
def test_random_vectors_have_the_loss_of_knowing_nothing(temperature: float) -> None:
    method = small("simclr", temperature=temperature)
    value = nt_xent(*random_pair(), temperature=temperature).item()
    assert value == pytest.approx(method.knows_nothing(256), rel=0.025)
    assert method.collapsed(256) == pytest.approx(6.23637)


def test_the_step_is_the_loss_of_both_views_of_one_batch() -> None:
    method = small("simclr", hidden=32, projection=16)
    views = views_of(method)
    z = method.projector(method.encoder(torch.cat(views)))
    expected = nt_xent(*z.chunk(2), temperature=method.temperature)
    step = method(views, 0.0)
    torch.testing.assert_close(step.loss, expected)
    assert step.watched.shape == (8, 16)
