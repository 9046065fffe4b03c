"""A ring of vectors from earlier batches: the queue of MoCo and NNCLR.

Its rows and its pointer are buffers, so that a checkpoint has them and a resumed run sees no stale
or empty queue.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.precision import full_precision


@full_precision
def nearest(
    z: Float[Tensor, "batch dim"], rows: Float[Tensor, "length dim"]
) -> tuple[Float[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Return the largest cosine of each z with one of `rows`, and which row that is."""
    cosines = F.normalize(z.detach(), dim=1) @ F.normalize(rows.detach(), dim=1).T
    largest, place = cosines.max(1)
    return largest, place


class Ring(nn.Module):
    """The newest `length` unit vectors; at the start random directions.

    rows: Float[Tensor, "length dim"]. pointer: where the next vector goes.
    """

    rows: Tensor
    pointer: Tensor

    def __init__(self, *, length: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, vectors: Float[Tensor, "batch dim"]) -> None:
        """Replace the oldest rows by the normalised `vectors`, over the end and on at the start.

        In training over several processes pass gathered rows, so that all rings stay equal.
        """
        length = len(self.rows)
        newest = F.normalize(vectors[-length:].to(self.rows.dtype), dim=1)
        start = self.pointer + max(0, len(vectors) - length)
        places = (start + torch.arange(len(newest), device=newest.device)) % length
        # a new tensor, not a change in place: this step's loss still needs the old rows to
        # find its gradient
        self.rows = self.rows.index_copy(0, places, newest)
        self.pointer = (self.pointer + len(vectors)) % length
