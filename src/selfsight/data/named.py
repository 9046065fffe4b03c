"""Data sets known by name: scikit-learn's digits, and those of torchvision that lie on disk.

Nothing is fetched unless it is asked for. A name alone is the training part ("CIFAR10"); with
"-test" it is the test part. Capitals do not matter.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from selfsight.data.decode import square
from selfsight.data.store import SAMPLED, Progress, stored_side
from selfsight.errors import UserError, suggest


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A data set in memory."""

    name: str
    pixels: UInt8[np.ndarray, "images 3 side side"]
    paths: tuple[str, ...]  # "digits/0017"
    classes: tuple[str, ...]
    index: Int[np.ndarray, "images"]  # int64 class number per image, -1 where unlabelled


# torchvision's class, and its settings for the training and for the test part
TORCHVISION: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "cifar10": ("CIFAR10", {"train": True}, {"train": False}),
    "cifar100": ("CIFAR100", {"train": True}, {"train": False}),
    "mnist": ("MNIST", {"train": True}, {"train": False}),
    "fashionmnist": ("FashionMNIST", {"train": True}, {"train": False}),
    "kmnist": ("KMNIST", {"train": True}, {"train": False}),
    "svhn": ("SVHN", {"split": "train"}, {"split": "test"}),
    "stl10": ("STL10", {"split": "train+unlabeled"}, {"split": "test"}),
    "gtsrb": ("GTSRB", {"split": "train"}, {"split": "test"}),
    "flowers102": ("Flowers102", {"split": "train"}, {"split": "test"}),
    "oxfordiiitpet": ("OxfordIIITPet", {"split": "trainval"}, {"split": "test"}),
    "dtd": ("DTD", {"split": "train"}, {"split": "test"}),
}
NAMES = ["digits", *sorted([*TORCHVISION, *(f"{name}-test" for name in TORCHVISION)])]


def open_named(
    name: str, *, size: int, cache: Path, download: bool, progress: Progress
) -> NamedSet:
    """Return a data set by name, for training at `size` px. It is kept in memory.

    torchvision's files are looked for in `cache`/named. Raises UserError for an unknown name, and
    for a set that is not there unless `download` is set and works.
    """
    plain = name.lower()
    if plain == "digits":
        return _digits(size)
    if plain not in NAMES:
        raise UserError(
            f"there is no folder {name!r}, nor a data set of that name{suggest(plain, NAMES)}; "
            f"named sets are digits, {', '.join(sorted(TORCHVISION))}, and these with -test"
        )
    return _torchvision(plain, size, cache / "named", download, progress)


def _digits(size: int) -> NamedSet:
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # 0..16, 8x8 px
    side = stored_side([8], size)
    pixels = np.stack([square(Image.fromarray(level), side=side) for level in levels])
    paths = tuple(f"digits/{number:04d}" for number in range(len(pixels)))
    classes = tuple(str(digit) for digit in range(10))
    return NamedSet("digits", pixels, paths, classes, digits.target.astype(np.int64))


def _torchvision(name: str, size: int, root: Path, download: bool, progress: Progress) -> NamedSet:
    dataset = _dataset(name, root, download)
    total = len(dataset)
    sample = sorted({number * total // SAMPLED for number in range(SAMPLED)})
    side = stored_side([min(dataset[row][0].size) for row in sample], size)
    pixels = np.empty((total, 3, side, side), dtype=np.uint8)
    index = np.empty(total, dtype=np.int64)
    for row in range(total):
        image, label = dataset[row]
        pixels[row], index[row] = square(image, side=side), label
        if row % 1000 == 0:
            progress("decode", row, total)
    progress("decode", total, total)
    classes = tuple(getattr(dataset, "classes", map(str, range(int(index.max()) + 1))))
    paths = tuple(f"{name}/{row:06d}" for row in range(total))
    return NamedSet(name, pixels, paths, classes, index)


def _dataset(name: str, root: Path, download: bool) -> Any:
    """Return torchvision's data set, whose items are a Pillow image and a class number or -1."""
    from torchvision import datasets

    stem = name.removesuffix("-test")
    kind, train, test = TORCHVISION[stem]
    settings = train if stem == name else test
    try:
        return getattr(datasets, kind)(str(root), download=download, **settings)
    except (RuntimeError, OSError) as error:  # "not found", or no way to the network
        why = " ".join(str(error).split())[:200]
        if download:
            raise UserError(f"could not fetch {name!r} into {str(root)!r}: {why}") from error
        raise UserError(
            f"the data set {name!r} is not in {str(root)!r}; --download fetches it"
        ) from error
