"""Views one below another: torch.cat, without a copy where they lie so already."""

import pytest
import torch
from torch import Tensor

from selfsight.joined import joined


def three(size: int = 4) -> Tensor:
    return torch.rand(3 * 5, 2, size, size, generator=torch.Generator().manual_seed(0))


def test_views_made_together_are_not_copied() -> None:
    whole = three()
    found = joined(list(whole.chunk(3))[1:])
    assert found.data_ptr() == whole[5:].data_ptr() and torch.equal(found, whole[5:])


@pytest.mark.parametrize(
    "views",
    [
        lambda first, second, third: [first, third],  # a gap
        lambda first, second, third: [second, first],
        lambda first, second, third: [first, first],
        lambda first, second, third: [first, second.clone()],
        lambda first, second, third: [first[:, :, :2], second[:, :, :2]],
        lambda first, second, third: [first.mT, second.mT],
        lambda first, second, third: [first, second[:0], third],
        lambda first, second, third: [first.requires_grad_(), second],
    ],
)
def test_others_are_what_cat_makes_of_them(views) -> None:
    given = views(*three().chunk(3))
    found = joined(given)
    assert torch.equal(found, torch.cat(given))
    assert found.data_ptr() != given[0].data_ptr()
    assert found.requires_grad == given[0].requires_grad


def test_views_of_one_row_have_any_stride() -> None:
    rows = torch.arange(4.0).view(4, 1, 1, 1)
    views = [rows[::2][:1], rows[1:2]]
    assert torch.equal(joined(views), torch.cat(views))


def test_one_view_is_itself() -> None:
    view = three()
    assert joined([view]) is view
