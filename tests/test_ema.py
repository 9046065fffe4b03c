"""The slow copy: the formula by hand, its two ends, and what it leaves alone."""

import pytest
import torch
from torch import nn

from selfsight.ema import Ema
from selfsight.schedule import rising_momentum


def pair() -> tuple[nn.Sequential, Ema]:
    """Return a network and its slow copy, after the network has moved away by 1."""
    torch.manual_seed(0)
    online = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    slow = Ema(online)
    with torch.no_grad():
        for weight in online.parameters():
            weight.add_(1.0)
    return online, slow


@pytest.mark.parametrize(("momentum", "moved"), [(1.0, 0.0), (0.0, 1.0), (0.75, 0.25)])
def test_a_momentum_of_1_never_moves_and_0_copies(momentum: float, moved: float) -> None:
    online, slow = pair()
    before = [weight.clone() for weight in slow.network.parameters()]
    slow.update(online, momentum=momentum)
    for weight, old in zip(slow.network.parameters(), before, strict=True):
        torch.testing.assert_close(weight, old + moved)


def test_the_first_update_is_the_formula_by_hand() -> None:
    online, slow = pair()
    before, fast = slow.network[0].weight.clone(), online[0].weight.clone()
    slow.update(online, momentum=rising_momentum(0.0, start=0.996))
    torch.testing.assert_close(slow.network[0].weight, 0.996 * before + 0.004 * fast)


def test_buffers_are_the_copys_own() -> None:
    online, slow = pair()
    online(torch.randn(8, 3) + 5)
    slow.update(online, momentum=0.0)
    assert slow.network[1].num_batches_tracked == 0
    slow(torch.randn(8, 3) - 5)
    assert slow.network[1].running_mean.mul(online[1].running_mean).max() < 0


def test_the_copy_gets_no_gradient_and_keeps_no_graph() -> None:
    online, slow = pair()
    assert not any(weight.requires_grad for weight in slow.parameters())
    output = slow(online(torch.randn(8, 3))[:, :1].expand(-1, 3))
    assert not output.requires_grad
