"""The images beside the explained ones: neighbours, clusters, classes and the foil come from them.

They are read by row, a piece at a time, so that a folder of any size can be one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from selfsight.data.images import quiet
from selfsight.nets.encoder import Encoder

Read = Callable[[Int[np.ndarray, "rows"]], Shaped[np.ndarray, "rows channels height width"]]
Progress = Callable[[str, int, int], None]
AT_ONCE = 256  # images


@dataclass(frozen=True, slots=True)
class Bank:
    """Images by row: pixels as uint8 or as float in [0, 1], of any size; class -1 is unknown."""

    read: Read
    labels: Int[np.ndarray, "images"]
    names: Sequence[str]  # of the classes

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def every(self) -> Int[np.ndarray, "images"]:
        """Return all rows."""
        return np.arange(len(self))

    def name_of(self, row: int) -> str:
        """Return the class of an image, or "" if it has none."""
        label = int(self.labels[row])
        return self.names[label] if label >= 0 else ""

    def fitted(
        self, encoder: Encoder, rows: Int[np.ndarray, "rows"]
    ) -> Float[Tensor, "rows channels height width"]:
        """Return images as the encoder takes them: float in [0, 1], of its size."""
        return encoder.fit(torch.tensor(self.read(rows)))

    def features(
        self, encoder: Encoder, rows: Int[np.ndarray, "rows"], *, progress: Progress = quiet
    ) -> Float[Tensor, "rows dim"]:
        """Return the features of some images, in the order of the rows."""
        found = []
        for start in range(0, len(rows), AT_ONCE):
            part = rows[start : start + AT_ONCE]
            found.append(encoder.encode(torch.tensor(self.read(part))))
            progress("embedding", start + len(part), len(rows))
        return torch.cat(found)
