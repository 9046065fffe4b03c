import pytest
import torch
from torch import nn

from selfsight.optim import Lars, build_optimiser, scaled_rate


def test_one_lars_step_has_the_reference_values() -> None:
    weight = nn.Parameter(torch.tensor([[0.3, -0.4], [0.0, 1.2]], dtype=torch.float64))
    weight.grad = torch.tensor([[0.01, 0.02], [-0.03, 0.04]], dtype=torch.float64)
    optimiser = Lars([{"params": [weight], "lr": 0.5, "weight_decay": 1e-4}])
    optimiser.step()
    expected = [[0.299881, -0.400237], [0.000356, 1.199525]]
    torch.testing.assert_close(
        weight.detach(), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_lars_leaves_biases_unscaled_and_undecayed() -> None:
    bias = nn.Parameter(torch.tensor([1.0, -2.0]))
    bias.grad = torch.tensor([0.5, 0.5])
    (group,) = [{"params": [bias], "lr": 0.1, "weight_decay": 0.9}]
    Lars([group]).step()
    torch.testing.assert_close(bias.detach(), torch.tensor([0.95, -2.05]))


def test_a_zero_weight_or_gradient_does_not_stop_lars() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.ones(2, 2)
    Lars([{"params": [weight], "lr": 0.1}]).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), -0.1))


@pytest.mark.parametrize("name", ["adamw", "lars", "sgd"])
def test_biases_and_norms_are_not_decayed(name: str) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimiser = build_optimiser(name, [{"params": list(net.parameters())}], weight_decay=0.1)
    decays = {
        id(weight): group["weight_decay"]
        for group in optimiser.param_groups
        for weight in group["params"]
    }
    for weight in net.parameters():
        assert decays[id(weight)] == (0.1 if weight.ndim > 1 else 0.0)


def test_an_unknown_optimiser_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="adamw, lars, sgd"):
        build_optimiser("sdg", [], weight_decay=0.0)


def test_rates_scale_with_the_batch() -> None:
    assert scaled_rate("sgd", 0.1, batch=512) == pytest.approx(0.2)
    assert scaled_rate("adamw", 0.1, batch=1024) == pytest.approx(0.2)
