"""Views of one size as one batch, without a copy where they were made together."""

import torch
from jaxtyping import Float
from torch import Tensor

Views = list[Float[Tensor, "_batch channels _height _width"]]


def joined(views: Views) -> Float[Tensor, "views_batch channels height width"]:
    """Return the views one below another: what `torch.cat` returns.

    Views that lie in memory as they are wanted are not copied: then the result shares their memory.
    """
    if len(views) == 1:
        return views[0]
    if not _adjacent(views):
        return torch.cat(views)
    flat = views[0].as_strided((sum(view.numel() for view in views),), (1,))
    return flat.view(-1, *views[0].shape[1:])


def _adjacent(views: Views) -> bool:
    """Return whether each view begins in memory where the one before ends."""
    if any(type(view) is not Tensor for view in views):  # a deferred view lies nowhere
        return False
    if any(view.requires_grad or not view.is_contiguous() for view in views):
        return False
    memory = views[0].untyped_storage().data_ptr()
    ends = [view.storage_offset() + view.numel() for view in views]
    return all(
        view.untyped_storage().data_ptr() == memory
        and view.shape[1:] == views[0].shape[1:]
        and view.dtype == views[0].dtype
        and view.storage_offset() == end
        for view, end in zip(views[1:], ends[:-1], strict=True)
    )
