"""SimSiam's loss, its stop-gradient, and the predictor's fixed rate."""

import pytest
import torch
from given import Z1, Z2, gradient, is_close, random_pair, rotation, small, views_of
from torch import nn

from selfsight.errors import UserError
from selfsight.methods.simsiam import negative_cosine
from selfsight.optim import build_optimiser

NARROW = {"projection": 32, "bottleneck": 8}


def test_the_loss_has_the_reference_value() -> None:
    assert is_close(negative_cosine(Z1, Z2), -0.90425473)


def test_the_gradient_is_half_of_byols_reference() -> None:
    found = gradient(lambda p: negative_cosine(p, Z2), Z1)
    expected = torch.tensor([-0.196806, -0.050566, -0.187788], dtype=torch.float64) / 2
    torch.testing.assert_close(found[0], expected, atol=2e-6, rtol=0)
    assert abs(found.norm().item() - 0.278026 / 2) < 2e-6


def test_the_loss_is_what_loops_give() -> None:
    total = 0.0
    for p, z in zip(Z1, Z2, strict=True):
        total -= float(p @ z / p.norm() / z.norm()) / 4
    assert is_close(negative_cosine(Z1, Z2), total, within=1e-12)


def test_equal_directions_give_minus_1() -> None:
    assert is_close(negative_cosine(Z1, 3 * Z1), -1.0, within=1e-12)


def test_order_length_and_rotation_do_not_matter() -> None:
    value = negative_cosine(Z1, Z2).item()
    order, turn = torch.tensor([2, 0, 3, 1]), rotation(3)
    for p, z in [(Z2, Z1), (Z1[order], Z2[order]), (7 * Z1, 0.3 * Z2), (Z1 @ turn, Z2 @ turn)]:
        assert is_close(negative_cosine(p, z), value, within=1e-9)


def test_the_other_view_gets_no_gradient() -> None:
    p, z = (rows.clone().requires_grad_() for rows in (Z1, Z2))
    negative_cosine(p, z).backward()
    assert p.grad is not None and z.grad is None


def test_random_vectors_have_the_loss_of_knowing_nothing() -> None:
    method = small("simsiam", **NARROW)
    assert is_close(negative_cosine(*random_pair()), method.knows_nothing(256), within=0.03)
    assert method.collapsed(256) == method.perfect(256) == -1


def test_the_step_is_the_mean_of_both_directions() -> None:
    method = small("simsiam", **NARROW)
    views = views_of(method)
    za, zb = (method.projector(method.encoder(view)) for view in views)
    expected = (
        negative_cosine(method.predictor(za), zb) + negative_cosine(method.predictor(zb), za)
    ) / 2
    torch.testing.assert_close(method(views, 0.0).loss, expected)
    torch.testing.assert_close(method(views[::-1], 0.0).loss, expected)


def test_the_projector_has_two_layers_and_a_last_norm_without_weights() -> None:
    method = small("simsiam", **NARROW)
    assert sum(isinstance(layer, nn.Linear) for layer in method.projector) == 2
    assert isinstance(method.projector[-1], nn.BatchNorm1d)
    assert method.projector[-1].weight is None
    assert isinstance(method.predictor[-1], nn.Linear)
    assert method.predictor[0].out_features < method.predictor[0].in_features


def test_the_predictors_weights_alone_have_a_fixed_rate() -> None:
    method = small("simsiam", **NARROW)
    optimiser = build_optimiser("sgd", method.param_groups(), weight_decay=1e-4)
    fixed = {
        id(weight)
        for group in optimiser.param_groups
        if group.get("fixed_rate")
        for weight in group["params"]
    }
    assert fixed == {id(weight) for weight in method.predictor.parameters()}


def test_without_the_stop_gradient_the_vectors_fall_onto_a_line() -> None:
    ranks = {stop: trained_rank(stop=stop) for stop in (True, False)}
    assert ranks[False] < 0.6 * ranks[True]


def trained_rank(*, stop: bool) -> float:
    """Return the participation ratio of 64 vectors after training a layer and a predictor."""
    torch.manual_seed(0)
    images = torch.randn(64, 16)
    projector = nn.Sequential(nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8, affine=False))
    predictor = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))
    weights = [*projector.parameters(), *predictor.parameters()]
    optimiser = torch.optim.SGD(weights, lr=0.5, momentum=0.9)
    for _ in range(300):
        za, zb = (projector(images + 0.5 * torch.randn_like(images)) for _ in range(2))
        if stop:
            loss = negative_cosine(predictor(za), zb) + negative_cosine(predictor(zb), za)
        else:
            pairs = [(predictor(za), zb), (predictor(zb), za)]
            loss = -sum(nn.functional.cosine_similarity(p, z).mean() for p, z in pairs)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    spectrum = torch.linalg.svdvals(projector(images).detach()).square()
    return float(spectrum.sum() ** 2 / spectrum.square().sum())


@pytest.mark.parametrize("bottleneck", [0, 32, 64])
def test_a_predictor_without_a_bottleneck_is_refused(bottleneck: int) -> None:
    with pytest.raises(UserError, match="bottleneck"):
        small("simsiam", projection=32, bottleneck=bottleneck)
