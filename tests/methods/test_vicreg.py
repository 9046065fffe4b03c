"""VICReg's loss in the scale of the authors' code, and its three terms."""

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

from selfsight.errors import UserError
from selfsight.methods.vicreg import vicreg_loss, vicreg_terms

NARROW = {"projection": 32}


def test_the_loss_has_the_reference_value_of_the_authors_code() -> None:
    assert is_close(vicreg_loss(A, B), 8.51424340)  # 14.51 without halving, 21.55 as printed


def test_the_terms_have_the_reference_values() -> None:
    s, v, c = vicreg_terms(A, B)
    assert is_close(s, 0.093844)
    assert is_close(v, (0.357061 + 0.122728) / 2)
    assert is_close(c, 0.061776 + 0.109011, within=2e-6)


def test_the_gradient_has_the_reference_value() -> None:
    assert_gradient(
        lambda za: vicreg_loss(za, B),
        at=A,
        first_row=[0.027085, -0.221999, -1.447248, -0.285595],
        length=4.585121,
    )


def test_the_loss_is_what_loops_give() -> None:
    total = 0.0
    for z in (A, B):
        mean = z.mean(0)
        for i in range(4):
            for j in range(4):
                covariance = float(((z[:, i] - mean[i]) * (z[:, j] - mean[j])).sum()) / 7
                if i == j:
                    total += 25 / 2 * max(0.0, 1 - (covariance + 1e-4) ** 0.5) / 4
                else:
                    total += covariance**2 / 4
    total += 25 * float((A - B).square().mean())
    assert is_close(vicreg_loss(A, B), total, within=1e-9)


@pytest.mark.parametrize("rows", [2, 16])
def test_equal_rows_give_24_75(rows: int) -> None:
    loss = vicreg_loss(equal_rows(rows, 5), equal_rows(rows, 5))
    assert is_close(loss, 24.75, within=1e-9)
    assert small("vicreg", **NARROW).collapsed(rows) == pytest.approx(24.75)


def test_both_views_get_a_gradient() -> None:
    assert gradient(lambda zb: vicreg_loss(A, zb), B).norm() > 0.1


def test_views_and_order_do_not_matter_but_length_and_rotation_do() -> None:
    value = vicreg_loss(A, B).item()
    order, turn = torch.tensor([2, 0, 3, 1, 7, 5, 4, 6]), rotation(4)
    assert is_close(vicreg_loss(B, A), value, within=1e-12)
    assert is_close(vicreg_loss(A[order], B[order]), value, within=1e-12)
    assert not is_close(vicreg_loss(7 * A, 7 * B), value, within=1e-2)
    assert not is_close(vicreg_loss(A @ turn, B @ turn), value, within=1e-3)


def test_random_vectors_have_the_losses_that_knows_nothing_names() -> None:
    nothing = small("vicreg", **NARROW).knows_nothing(256)
    za, zb = random_pair()
    assert vicreg_loss(za, zb).item() == pytest.approx(2.1 * nothing, rel=0.03)
    assert vicreg_loss(za / 4, zb / 4).item() == pytest.approx(7 / 8 * 25, rel=0.03)
    assert vicreg_loss(za / 1000, zb / 1000).item() == pytest.approx(nothing, rel=0.03)


def test_without_the_variance_term_shrinking_pays() -> None:
    za, zb = random_pair(64, 8)
    without = [vicreg_loss(za * s, zb * s, variance=0.0).item() for s in (1.0, 0.1, 0.0)]
    assert without[0] > without[1] > without[2] == 0


def test_bfloat16_inputs_are_summed_in_full_precision() -> None:
    za, zb = random_pair()
    exact = vicreg_loss(za, zb).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = vicreg_loss(za.bfloat16(), zb.bfloat16())
    assert halved.item() == pytest.approx(exact, rel=1e-2)


def test_the_step_is_the_loss_of_views_passed_one_by_one_and_logs_its_terms() -> None:
    method = small("vicreg", covariance=3.0, **NARROW)
    views = views_of(method)
    za, zb = (method.projector(method.encoder(view)) for view in views)
    step = method(views, 0.0)
    torch.testing.assert_close(step.loss, vicreg_loss(za, zb, covariance=3.0))
    weighed = sum(
        weight * step.logs[name]
        for name, weight in {"invariance": 25, "variance": 25, "covariance": 3}.items()
    )
    torch.testing.assert_close(weighed, step.loss.detach())


@pytest.mark.parametrize("name", ["invariance", "variance"])
def test_a_term_that_it_cannot_do_without_is_demanded(name: str) -> None:
    with pytest.raises(UserError, match=name):
        small("vicreg", **{name: 0.0})
