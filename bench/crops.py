"""Crops by two matrices against the ways that are faster, and views drawn one by one or together.

    python bench/crops.py [--batch 64] [--repeats 30]

Boxes of SimCLR become views of 32, 64 and 128 px: of images of that size, where nothing shrinks and
four pixels are read, and of images a quarter larger, as photos are stored, where for large views
the larger boxes are resized one by one. Then the eight patches of EMP-SSL, each by itself and all
at once. One thread. The two take turns within a repeat; the ratio is taken within a repeat.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from selfsight.allocator import keep_freed_memory
from selfsight.methods.emp_ssl import EmpSSL
from selfsight.nets.encoder import build_encoder
from selfsight.views.geometry import _multiplied, random_boxes, resized_crop

SIZES = (32, 64, 128)


def line(name: str, plain: Callable[[], object], fast: Callable[[], object], repeats: int) -> str:
    """Return the median times of both in ms, and the ratio with its quartiles."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for place, work in enumerate((plain, fast)):
            began = time.perf_counter()
            work()
            seconds[place].append(time.perf_counter() - began)
    ratios = [one / other for one, other in zip(*(found[1:] for found in seconds), strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    times = "".join(f"{1000 * statistics.median(found[1:]):>10.2f}" for found in seconds)
    return f"{name:<22}{times}{middle:>8.1f}  [{low:.1f}, {high:.1f}]"


def measure(size: int, *, batch: int, repeats: int) -> None:
    """Print the rows of one size."""
    mirrored, overturned = torch.rand(batch) < 0.5, torch.zeros(batch, dtype=torch.bool)
    for side in (size, size * 5 // 4):
        images = torch.rand(batch, 3, side, side)
        boxes = random_boxes(images, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))
        plain = partial(_multiplied, images, (*boxes.sides(), overturned, mirrored), size=size)
        fast = partial(
            resized_crop,
            images,
            boxes,
            size=size,
            mirrored=mirrored,
            overturned=overturned,
            antialias=side > size,
        )
        print(line(f"crops, {side} to {size} px", plain, fast, repeats))
    images = torch.rand(batch, 3, size, size)
    encoder = build_encoder("convnet", image_size=size, mean=[0.5] * 3, std=[0.25] * 3)
    make = EmpSSL(encoder).views

    def one_by_one() -> list[torch.Tensor]:
        return [patch(images) for patch in make.augmentations]

    print(line(f"8 patches, {size} px", one_by_one, partial(make, images), repeats))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as `selfsight train` does
    print(f"{'':<22}{'plain ms':>10}{'fast ms':>10}{'ratio':>8}  quartiles")
    for size in SIZES:
        measure(size, batch=arguments.batch, repeats=arguments.repeats)


if __name__ == "__main__":
    main()
