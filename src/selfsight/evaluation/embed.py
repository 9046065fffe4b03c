"""From images to features: anything that turns pixels into vectors, run over a set of images.

A trained encoder, an untrained one, raw pixels and a stranger's network are all callables from a
batch of uint8 images to a batch of float vectors, so they are measured alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import nn

from selfsight.data.images import ImageSet, quiet
from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder, evaluating

Encode = Callable[
    [UInt8[np.ndarray, "batch channels height width"]], Float[np.ndarray, "batch dim"]
]
Progress = Callable[[str, int, int], None]
CHECKED_AT_ONCE = 16_384  # rows


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The features of some images and the class number of each, -1 where there is no label."""

    features: Float32[np.ndarray, "images dim"]
    labels: Int64[np.ndarray, "images"]

    def __len__(self) -> int:
        return len(self.labels)

    def labelled(self) -> "Embeddings":
        """Return the rows that have a label.

        Raises UserError if there is none, or if a feature is not a finite number.
        """
        known = self.labels >= 0
        if not known.any():
            raise UserError(
                f"none of the {len(self)} images has a label; "
                "measuring needs labels: one folder per class, or a table of labels"
            )
        parts = range(0, len(self), CHECKED_AT_ONCE)
        finite = [np.isfinite(self.features[at : at + CHECKED_AT_ONCE]).all(axis=1) for at in parts]
        wrong = sum(int((~part).sum()) for part in finite)
        if wrong:
            raise UserError(
                f"the features of {wrong} of {len(self)} images are not finite numbers: "
                "the encoder has diverged; train with a lower learning rate (lr)"
            )
        return self if known.all() else Embeddings(self.features[known], self.labels[known])


def embed(
    encode: Encode, images: ImageSet, *, batch: int = 512, progress: Progress = quiet
) -> Embeddings:
    """Return the features of all images in their order, as float32, with their labels.

    `progress("embedding", done, total)` is called after every batch of images.
    Raises UserError if there are no images.
    """
    total = len(images)
    if total == 0:
        raise UserError("there is no image to embed")
    features = np.empty((0, 0), dtype=np.float32)
    for start in range(0, total, batch):
        rows = np.arange(start, min(start + batch, total))
        found = encode(images.batch(rows))
        if start == 0:  # only now is the width known
            features = np.empty((total, found.shape[1]), dtype=np.float32)
        features[rows] = found
        progress("embedding", int(rows[-1]) + 1, total)
    return Embeddings(features, np.asarray(images.labels.index, dtype=np.int64))


def encoder_function(encoder: Encoder, device: str = "cpu") -> Encode:
    """Return the function from uint8 images to float32 features that an encoder computes.

    The encoder is moved to `device` and stays there. Looking does not change it: batch norm uses
    its running statistics and does not update them, and every module's mode is put back.
    """
    encoder.to(device)

    def encode(
        pixels: UInt8[np.ndarray, "batch channels height width"],
    ) -> Float32[np.ndarray, "batch dim"]:
        # A copy, because a read-only (memory-mapped) array cannot become a tensor.
        features = encoder.encode(torch.tensor(pixels))
        found: Float32[np.ndarray, "batch dim"] = features.float().cpu().numpy()
        return found

    return encode


def head_function(encoder: Encoder, head: nn.Module, *, device: str) -> Encode:
    """Return the function from uint8 images to what a head makes of an encoder's features.

    Both are moved to `device` and stay there; looking does not change them.
    """
    encoder.to(device)
    head.to(device)

    def encode(
        pixels: UInt8[np.ndarray, "batch channels height width"],
    ) -> Float32[np.ndarray, "batch dim"]:
        with evaluating(head), torch.inference_mode():
            features = head(encoder.encode(torch.tensor(pixels)))
        found: Float32[np.ndarray, "batch dim"] = features.float().cpu().numpy()
        return found

    return encode
