"""Two SimCLR views per image: selfsight beside kornia's batches and torchvision v2 image by image.

    python bench/views.py --size 32 --batch 512 --repeats 15

All start from the same uint8 batch and end in float32. Contenders take turns within a repeat, so
that other work on the machine meets all of them; the ratio is taken within a repeat.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor
from torchvision.transforms import v2

from selfsight.views.filters import blur_kernel
from selfsight.views.presets import Augmentation, simclr, two_views

Contender = Callable[[Tensor], object]


def with_torchvision(augmentation: Augmentation) -> Contender:
    """Return the same views by torchvision, one image at a time."""
    size, kernel = augmentation.size, blur_kernel(augmentation.size)
    jitter = v2.ColorJitter(
        augmentation.brightness,
        augmentation.contrast,
        augmentation.saturation,
        augmentation.hue,
    )
    steps = [
        v2.RandomResizedCrop(size, augmentation.area, augmentation.aspect, antialias=True),
        v2.RandomHorizontalFlip(augmentation.flip),
        v2.RandomApply([jitter], augmentation.jitter),
        v2.RandomGrayscale(augmentation.grey),
        v2.ToDtype(torch.float32, scale=True),
    ]
    if augmentation.blur > 0:
        blur = v2.GaussianBlur(kernel, augmentation.sigma)
        steps.insert(4, v2.RandomApply([blur], augmentation.blur))
    one = v2.Compose(steps)
    return lambda images: [torch.stack([one(image) for image in images]) for _ in range(2)]


def with_kornia(augmentation: Augmentation) -> Contender:
    """Return the same views by kornia's batched augmentations."""
    from kornia import augmentation as kornia  # type: ignore[import-not-found,unused-ignore]

    size, kernel = augmentation.size, blur_kernel(augmentation.size)
    steps = [
        kornia.RandomResizedCrop((size, size), augmentation.area, augmentation.aspect),
        kornia.RandomHorizontalFlip(p=augmentation.flip),
        kornia.ColorJitter(
            augmentation.brightness,
            augmentation.contrast,
            augmentation.saturation,
            augmentation.hue,
            p=augmentation.jitter,
        ),
        kornia.RandomGrayscale(p=augmentation.grey),
    ]
    if augmentation.blur > 0:
        steps.append(
            kornia.RandomGaussianBlur((kernel, kernel), augmentation.sigma, p=augmentation.blur)
        )
    batched = torch.nn.Sequential(*steps)

    def views(images: Tensor) -> list[Tensor]:
        images = images.float() / 255
        return [batched(images), batched(images)]

    return views


def speed(make: Contender, images: Tensor) -> float:
    """Return images per second, each made into two views."""
    start = time.perf_counter()
    make(images)
    return len(images) / (time.perf_counter() - start)


def main() -> None:
    """Print a table of speeds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32, help="side of images and views in pixels")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--slow-batch", type=int, default=32, help="images for torchvision's loop")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()

    torch.manual_seed(0)
    side = chosen.size
    images = torch.randint(0, 256, (chosen.batch, 3, side, side), dtype=torch.uint8)
    augmentation = simclr(side)
    contenders: dict[str, tuple[Contender, Tensor]] = {
        "selfsight": (two_views(augmentation), images)
    }
    if find_spec("kornia"):
        contenders["kornia, batched"] = (with_kornia(augmentation), images)
    else:
        print("kornia is not installed: skipped")
    contenders["torchvision v2, one by one"] = (
        with_torchvision(augmentation),
        images[: chosen.slow_batch],
    )

    speeds: dict[tuple[int, str], list[float]] = {}
    for repeat in range(chosen.repeats + 1):
        for threads in chosen.threads:
            torch.set_num_threads(threads)
            for name, (make, batch) in contenders.items():
                measured = speed(make, batch)
                if repeat > 0:  # the first round warms up
                    speeds.setdefault((threads, name), []).append(measured)

    blur = f"blur {augmentation.blur}" if augmentation.blur else "no blur"
    print(
        f"two SimCLR views ({blur}) at {side} px, batch {chosen.batch} of uint8, "
        f"torch {torch.__version__}, {chosen.repeats} repeats"
    )
    print(f"{'threads':>7}  {'':27}{'images/s':>9}  {'lowest':>8}{'highest':>9}{'of ours':>9}")
    for (threads, name), values in speeds.items():
        ours = speeds[threads, "selfsight"]
        ratio = statistics.median(a / b for a, b in zip(values, ours, strict=True))
        print(
            f"{threads:>7}  {name:27}{statistics.median(values):>9,.0f}  "
            f"{min(values):>8,.0f}{max(values):>9,.0f}{ratio:>9.3f}"
        )


if __name__ == "__main__":
    main()
