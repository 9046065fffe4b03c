"""Cross entropy of finding each query's partner among all keys, with memory for a block of rows.

All pairs of a large batch are many: two views of 4,096 images are 67 million pairs, of which torch
would keep several copies. Above AT_ONCE queries the logits are made block by block in one buffer,
and a second time on the way back. With L queries q, keys k and temperature t, the gradient of the
mean cross entropy by the logits s = q k' / t is g = (softmax(s) - partner) / L, and so g k / t by
the queries and g' q / t by the keys.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

BLOCK = 256  # queries at a time
AT_ONCE = 1024  # queries; up to here nothing is done in blocks

Queries = Float[Tensor, "queries dim"]
Keys = Float[Tensor, "keys dim"]
Partners = Int[Tensor, " queries"]


def matching_loss(
    queries: Queries,
    keys: Keys,
    partners: Partners,
    *,
    temperature: float,
    but_itself: bool = False,
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of finding each query's partner by its product with the keys.

    `partners` are the numbers of the right keys. With `but_itself` query i is not compared with
    key i.
    """
    queries = queries / temperature
    if len(queries) > AT_ONCE:
        loss: Tensor = _Blocks.apply(queries, keys, partners, but_itself)
        return loss
    logits = queries @ keys.T
    if but_itself:
        logits = logits.diagonal_scatter(logits.new_full((len(logits),), -torch.inf))
    return F.cross_entropy(logits, partners)


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, partners: Tensor, but_itself: bool
    ) -> Tensor:
        room = queries.new_empty(BLOCK, len(keys))
        totals, right = torch.empty_like(queries[:, 0]), torch.empty_like(queries[:, 0])
        for start in range(0, len(queries), BLOCK):
            rows = slice(start, start + BLOCK)
            logits = _logits(queries[rows], keys, start=start, but_itself=but_itself, room=room)
            right[rows] = logits.gather(1, partners[rows, None])[:, 0]
            largest = logits.amax(1, keepdim=True)
            totals[rows] = logits.sub_(largest).exp_().sum(1).log_() + largest[:, 0]
        ctx.but_itself = but_itself
        ctx.save_for_backward(queries, keys, partners, totals)
        return (totals - right).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        queries, keys, partners, totals = ctx.saved_tensors
        to_queries, to_keys = ctx.needs_input_grad[:2]
        of_queries, of_keys = torch.empty_like(queries), torch.zeros_like(keys)
        room, share = queries.new_empty(BLOCK, len(keys)), grad / len(queries)
        for start in range(0, len(queries), BLOCK):
            rows = slice(start, start + BLOCK)
            part = queries[rows]
            logits = _logits(part, keys, start=start, but_itself=ctx.but_itself, room=room)
            found = logits.sub_(totals[rows, None]).exp_()
            found.scatter_add_(1, partners[rows, None], found.new_full((len(part), 1), -1.0))
            found.mul_(share)
            if to_queries:
                torch.mm(found, keys, out=of_queries[rows])
            if to_keys:
                of_keys.addmm_(found.T, part)
        return of_queries if to_queries else None, of_keys if to_keys else None, None, None


def _logits(
    queries: Queries,
    keys: Keys,
    *,
    start: int,
    but_itself: bool,
    room: Float[Tensor, "block keys"],
) -> Float[Tensor, "queries keys"]:
    """Compute the logits of queries number `start` and following into `room`."""
    logits = torch.mm(queries, keys.T, out=room[: len(queries)])
    if but_itself:
        logits[:, start : start + len(queries)].fill_diagonal_(-torch.inf)
    return logits
