"""Cross entropy of finding each row's partner among all rows, with memory for a block of rows.

All pairs of a large batch are many: two views of 4,096 images are 67 million pairs, of which torch
would keep several copies. Above BLOCK rows the logits are made block by block, and once more on the
way back.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

BLOCK = 1024  # rows; up to here nothing is done in blocks

Rows = Int[Tensor, " rows"]


def matching_loss(
    logits_of: Callable[[Rows], Float[Tensor, "rows candidates"]], partners: Int[Tensor, " all"]
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of finding each row's partner by its logits.

    `logits_of` gives the logits of some rows, by number; `partners` the right candidate of all.
    """
    rows = torch.arange(len(partners), device=partners.device)
    if len(rows) <= BLOCK:
        return F.cross_entropy(logits_of(rows), partners)

    def total(block: Rows) -> Float[Tensor, ""]:
        return F.cross_entropy(logits_of(block), partners[block], reduction="sum")

    parts: list[Tensor] = [
        checkpoint(total, block, use_reentrant=False, preserve_rng_state=False)
        for block in torch.split(rows, BLOCK)
    ]
    return torch.stack(parts).sum() / len(rows)
