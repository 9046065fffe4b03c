"""EMP-SSL: reference values, the sign, and the limits of the coding rate."""

from math import log, sqrt

import pytest
import torch
from given import Z1, Z2, closed_form
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.methods.emp_ssl import EmpSSL, coding_rate, emp_ssl_loss, random_rate
from selfsight.nets.encoder import build_encoder
from selfsight.nets.sizes import features_of


def method(**settings: float) -> EmpSSL:
    torch.manual_seed(0)
    encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    return EmpSSL(encoder, **settings)


def test_the_reference_values() -> None:
    assert coding_rate(Z1, epsilon=0.2).item() == pytest.approx(2.52489369, abs=1e-8)
    assert emp_ssl_loss([Z1, Z2]).item() == pytest.approx(-197.50896331, abs=1e-7)


def test_the_reference_gradient() -> None:
    z = Z1.clone().requires_grad_()
    emp_ssl_loss([z, Z2]).backward()
    expected = torch.tensor([-5.554418, -1.498731, -5.278575], dtype=torch.float64)
    torch.testing.assert_close(z.grad[0], expected, rtol=0, atol=1e-6)
    assert z.grad.norm().item() == pytest.approx(7.838884, abs=1e-6)


def test_the_loss_is_what_loops_give() -> None:
    views = [F.normalize(view, dim=1) for view in (Z1, Z2, closed_form(4, 3, 7))]
    total = 0.0
    for view in views:
        gram = torch.eye(3, dtype=torch.float64)
        for row in view:
            for i in range(3):
                for j in range(3):
                    gram[i, j] += 3 / (4 * 0.2) * row[i] * row[j]
        total -= 0.5 * log(torch.linalg.det(gram).item()) / 3
        for number, row in enumerate(view):
            middle = sum(other[number] for other in views) / 3
            total -= 200 * float(row @ middle / middle.norm()) / 4 / 3
    loss = emp_ssl_loss([Z1, Z2, closed_form(4, 3, 7)])
    assert loss.item() == pytest.approx(total, abs=1e-9)


def test_the_mean_vector_carries_no_gradient_of_its_own() -> None:
    z = Z1.clone().requires_grad_()
    (whole,) = torch.autograd.grad(emp_ssl_loss([z, Z2]), z)
    units = [F.normalize(view, dim=1) for view in (z, Z2)]
    middle = torch.stack(units).mean(0).detach()
    rate = torch.stack([coding_rate(view, epsilon=0.2) for view in units]).mean()
    agreement = torch.stack([F.cosine_similarity(view, middle).mean() for view in units]).mean()
    (fixed,) = torch.autograd.grad(-rate - 200 * agreement, z)
    torch.testing.assert_close(whole, fixed)


@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (3, 7), (5, 5)])
def test_the_rate_is_the_log_determinant_of_either_gram_matrix(rows: int, columns: int) -> None:
    z = closed_form(rows, columns, 9)
    units = F.normalize(z, dim=1)
    long = torch.eye(columns, dtype=z.dtype) + columns / (rows * 0.2) * units.T @ units
    assert coding_rate(z, epsilon=0.2).item() == pytest.approx(0.5 * long.logdet().item())


def test_the_rate_of_equal_rows_and_of_an_even_frame() -> None:
    equal = torch.ones(6, 3, dtype=torch.float64)
    assert coding_rate(equal, epsilon=0.2).item() == pytest.approx(1.38629436)
    frame = torch.eye(3, dtype=torch.float64).repeat(2, 1)
    assert coding_rate(frame, epsilon=0.2).item() == pytest.approx(2.68763920)


def test_the_collapsed_loss_is_as_stated() -> None:
    equal = [torch.ones(16, 256)] * 8
    assert emp_ssl_loss(equal).item() == pytest.approx(method().collapsed(16), rel=1e-4)
    assert method().collapsed(16) == pytest.approx(-0.5 * log(1 + 256 / 0.2) - 200)


def test_the_reference_values_of_the_rates_two_ends() -> None:
    """128 dimensions, 256 images, epsilon 0.2: equal rows, and an even frame."""
    emp = method(projection=128)
    assert -200 - emp.collapsed(256) == pytest.approx(3.23, abs=5e-3)
    assert -200 - emp.perfect(256) == pytest.approx(114.67, abs=5e-3)


def test_mixing_all_vectors_with_one_direction_raises_the_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    z = F.normalize(torch.randn(100, 64, generator=generator, dtype=torch.float64), dim=1)
    common = F.normalize(torch.randn(1, 64, generator=generator, dtype=torch.float64), dim=1)
    losses = [emp_ssl_loss([(1 - t) * z + t * common] * 2).item() for t in (0, 0.5, 0.9, 0.99)]
    assert losses == sorted(losses)
    rates = [-200 - loss for loss in losses]
    for rate, expected in zip(rates, (49.6, 36.9, 4.7, 2.9), strict=True):
        assert rate == pytest.approx(expected, abs=1.0)


def test_the_rate_of_independent_directions_is_known() -> None:
    assert random_rate(256, dim=128, epsilon=0.2) == pytest.approx(102.93, abs=0.5)
    for batch, dim in ((64, 256), (256, 256), (512, 64)):
        torch.manual_seed(0)
        drawn = coding_rate(torch.randn(batch, dim), epsilon=0.2).item()
        assert random_rate(batch, dim=dim, epsilon=0.2) == pytest.approx(drawn, rel=0.01)


def test_knowing_nothing_is_the_loss_of_independent_directions() -> None:
    torch.manual_seed(0)
    loss = emp_ssl_loss([torch.randn(128, 256) for _ in range(8)]).item()
    assert method().knows_nothing(128) == pytest.approx(loss, rel=0.02)


def test_no_batch_has_a_lower_loss_than_the_perfect_one() -> None:
    for images in (64, 256, 512):  # fewer than dimensions, as many, twice as many
        frame = [torch.eye(256).repeat(2, 1)[:images]] * 8
        assert emp_ssl_loss(frame).item() == pytest.approx(method().perfect(images), rel=1e-4)


def test_the_loss_of_a_step_is_that_of_all_patches_vectors() -> None:
    emp = method(patches=4)
    views = emp.views(torch.rand(8, 3, 20, 20))
    z = emp.projector(features_of(emp.encoder, torch.cat(views))).chunk(4)
    expected = emp_ssl_loss([view.detach() for view in z], epsilon=0.2, invariance=200.0)
    torch.testing.assert_close(emp(views, 0.5).loss.detach(), expected)


def test_order_of_views_and_images_scale_and_rotation_change_nothing() -> None:
    loss = emp_ssl_loss([Z1, Z2])
    turn = torch.linalg.qr(closed_form(3, 3, 8)).Q
    order = torch.tensor([2, 0, 3, 1])
    for same in ([Z2, Z1], [Z1[order], Z2[order]], [7 * Z1, Z2], [Z1 @ turn, Z2 @ turn]):
        torch.testing.assert_close(emp_ssl_loss(same), loss)


def test_half_precision_vectors_are_widened() -> None:
    torch.manual_seed(0)
    z = [torch.randn(32, 64) for _ in range(4)]
    half = emp_ssl_loss([view.bfloat16() for view in z])
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(emp_ssl_loss(z).item(), rel=1e-2)


def test_every_patch_has_the_same_area_and_its_own_place() -> None:
    emp = method(patches=6)
    images = torch.arange(256.0).view(1, 1, 16, 16).expand(2, 3, 16, 16) / 255
    views = emp.views(images)
    assert len(views) == 6
    assert all(view.shape == (2, 3, 8, 8) for view in views)
    (patch,) = set(emp.views.augmentations)
    assert patch.area == (0.25, 0.25)
    assert patch.aspect == (1.0, 1.0)


def test_one_patch_is_refused() -> None:
    with pytest.raises(UserError, match="patches is 1"):
        method(patches=1)
    with pytest.raises(UserError, match="small views"):
        method(patch_size=0.1)


def test_the_formula_of_the_mean_cosine() -> None:
    torch.manual_seed(0)
    z = [torch.randn(500, 128) for _ in range(8)]
    agreement = -(emp_ssl_loss(z, invariance=1.0) - emp_ssl_loss(z, invariance=0.0))
    assert agreement.item() == pytest.approx(1 / sqrt(8), rel=0.03)
