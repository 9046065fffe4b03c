"""Partners found block by block: the plain cross entropy and its gradients, without its pairs."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from selfsight import matching
from selfsight.matching import matching_loss
from selfsight.methods.moco_v3 import contrastive_loss
from selfsight.methods.nnclr import nearest_neighbour_loss
from selfsight.methods.simclr import nt_xent

EXACT = {"atol": 1e-9, "rtol": 1e-9}


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "BLOCK", 8)
    monkeypatch.setattr(matching, "AT_ONCE", 0)


def vectors(*counts: int, dim: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(count, dim, generator=generator, dtype=torch.float64).requires_grad_()
        for count in counts
    ]


def plain(queries: Tensor, keys: Tensor, partners: Tensor, but_itself: bool) -> Tensor:
    logits = queries @ keys.T / 0.3
    if but_itself:
        logits = logits.masked_fill(torch.eye(*logits.shape, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, partners)


def gradients(loss: Tensor, *leaves: Tensor) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(3 * loss, leaves, allow_unused=True)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("but_itself", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(20, 20), (16, 30), (3, 9)])
def test_loss_and_gradients_are_those_of_cross_entropy(
    queries: int, keys: int, but_itself: bool
) -> None:
    q, k = vectors(queries, keys)
    partners = (torch.arange(queries) + 5) % keys
    expected = plain(q, k, partners, but_itself)
    found = matching_loss(q, k, partners, temperature=0.3, but_itself=but_itself)
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(gradients(found, q, k), gradients(expected, q, k), **EXACT)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("learning", [0, 1])
def test_one_side_alone_may_learn(learning: int) -> None:
    given = vectors(20, 20)
    given[1 - learning].requires_grad_(False)
    partners = torch.arange(20)
    found = matching_loss(*given, partners, temperature=0.3)
    wanted = gradients(plain(*given, partners, False), given[learning])
    torch.testing.assert_close(gradients(found, given[learning]), wanted, **EXACT)


@pytest.mark.parametrize("loss", [nt_xent, contrastive_loss, nearest_neighbour_loss])
def test_losses_are_the_same_in_blocks_and_at_once(loss, monkeypatch) -> None:
    a, b, queue = vectors(22, 22, 30)
    more = (queue.detach(),) if loss is nearest_neighbour_loss else ()
    at_once = loss(a, b, *more, temperature=0.3)
    monkeypatch.setattr(matching, "BLOCK", 8)
    monkeypatch.setattr(matching, "AT_ONCE", 0)
    found = loss(a, b, *more, temperature=0.3)
    torch.testing.assert_close(found, at_once, **EXACT)
    torch.testing.assert_close(gradients(found, a, b), gradients(at_once, a, b), **EXACT)


@pytest.mark.usefixtures("in_blocks")
def test_no_pairs_are_kept_for_the_way_back() -> None:
    a, b = vectors(50, 50)
    kept = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        nt_xent(a, b, temperature=0.3)
    assert kept and max(kept) <= 100 * 6


@pytest.mark.usefixtures("in_blocks")
def test_large_products_do_not_overflow() -> None:
    q, k = (100 * rows.detach().float() for rows in vectors(20, 20))
    found = matching_loss(q, k, torch.arange(20), temperature=0.01)
    assert found.isfinite()
    torch.testing.assert_close(
        found, F.cross_entropy(q @ k.T / 0.01, torch.arange(20)), rtol=1e-5, atol=0
    )
