"""Images of the test part that stand in the training part too, found from the stored pixels.

A test image that was trained on measures memory. Its twin need not be the same file: it may be
saved anew, in another format, quality or size. So images are compared by what survives that: the
grey values of 16 x 16 places, less the mean of the 5 x 5 places around each, as a direction; alike
are images whose directions have a cosine of at least ALIKE. Brightness, contrast and colour do not
enter; a mirrored, turned, shifted or cropped image is another image; an image without any detail (a
black frame) is like no other.

Of 600 JPEG CIFAR-10 images of 32 px all were found after JPEG at quality 75, 99.7 % after quality
50 and after 24 px at quality 75, 99.3 % after quality 30, 68 % after 16 px at quality 75; none was
taken for one of 19,400 others. Of 600 plankton silhouettes on white, which look alike indeed, 5
were taken for one of 5,400 others: look at the pairs where images are so plain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from selfsight.data.images import ImageSet, quiet
from selfsight.data.store import Progress

ALIKE = 0.96
SIDE = 16  # places along an image
AROUND = 5  # places along the neighbourhood whose mean is taken off
FLAT = 0.5 / 255  # detail (root mean square of what is left, pixels in [0, 1]) that rounding makes
TRAIN_BLOCK, TEST_BLOCK = 2_048, 16_384  # images at a time: memory does not grow with their number


@dataclass(frozen=True, slots=True)
class Repeats:
    """The test images that have a twin in the training part, each with the twin most like it."""

    images: int  # of the test part
    rows: Int64[np.ndarray, "found"]  # of the test part, ascending
    twins: Int64[np.ndarray, "found"]  # of the training part
    cosines: Float32[np.ndarray, "found"]  # how alike they are, ALIKE to 1

    def __len__(self) -> int:
        return len(self.rows)

    def pairs(self, train: ImageSet, test: ImageSet) -> list[tuple[str, str, float]]:
        """Return (test path, training path, cosine) of each, as the sets name them."""
        found = zip(self.rows.tolist(), self.twins.tolist(), self.cosines.tolist(), strict=True)
        return [(test.paths[row], train.paths[twin], cosine) for row, twin, cosine in found]

    def sentence(self) -> str:
        """Return in words how many test images have a twin, and what that means."""
        if not len(self):
            return f"None of the {self.images:,} test images was found among the training images."
        return (
            f"{len(self):,} of the {self.images:,} test images ({len(self) / self.images:.1%}) "
            "have a near copy among the training images."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the number of repeats and how they were found, of plain JSON values."""
        return {
            "test_images": self.images,
            "repeats": len(self),
            "method": f"cosine of at least {ALIKE:g} between grey values of {SIDE} x {SIDE} "
            f"places, each less the mean of the {AROUND} x {AROUND} around it",
        }


def find_repeats(train: ImageSet, test: ImageSet, *, progress: Progress = quiet) -> Repeats:
    """Return which images of `test` stand in `train` too, whatever their sizes and formats.

    Time grows with the product of both numbers (10,000 against 50,000 take ten seconds or so),
    memory does not. `progress("looking for repeats", done, total)` counts compared pairs.
    """
    best = np.full(len(test), -1.0, dtype=np.float32)
    twins = np.zeros(len(test), dtype=np.int64)
    total, done = len(train) * len(test), 0
    for of_test in _blocks(len(test), TEST_BLOCK):
        wanted = _detail(test.batch(of_test))
        for of_train in _blocks(len(train), TRAIN_BLOCK):
            nearest, which = (wanted @ _detail(train.batch(of_train)).T).max(dim=1)
            closer = nearest.numpy() > best[of_test]
            best[of_test[closer]] = nearest.numpy()[closer]
            twins[of_test[closer]] = of_train[which.numpy()[closer]]
            done += len(of_test) * len(of_train)
            progress("looking for repeats", done, total)
    rows = np.flatnonzero(best >= ALIKE)
    return Repeats(len(test), rows, twins[rows], best[rows].clip(max=1.0))


def _detail(pixels: UInt8[np.ndarray, "n channels side side"]) -> Float[Tensor, "n places"]:
    """Return the direction of what stands out of its surroundings; zeros where nothing does."""
    grey = torch.tensor(pixels, dtype=torch.float32).mean(1, keepdim=True) / 255
    small = functional.interpolate(  # antialiased: the same whatever the size that it comes from
        grey, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    edge = AROUND // 2
    surroundings = functional.avg_pool2d(
        functional.pad(small, (edge,) * 4, mode="reflect"), AROUND, stride=1
    )
    detail = (small - surroundings).flatten(1)
    size_of_it = detail.square().mean(1, keepdim=True).sqrt()
    return functional.normalize(detail, dim=1) * (size_of_it > FLAT)


def _blocks(total: int, size: int) -> Iterator[Int64[np.ndarray, "rows"]]:
    for start in range(0, total, size):
        yield np.arange(start, min(start + size, total))
