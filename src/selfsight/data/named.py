"""Data sets known by name: scikit-learn's digits, and those of torchvision that lie on disk.

Nothing is fetched unless it is asked for. A name alone is the training part ("CIFAR10"); with
"-test" it is the test part. Capitals do not matter.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import Int, UInt8
from PIL import Image

from selfsight.data.decode import square
from selfsight.data.shelf import keep
from selfsight.data.store import (
    SAMPLED,
    VERSION,
    Progress,
    allocate,
    finish,
    is_whole,
    read_store,
    store_name,
    stored_side,
)
from selfsight.errors import UserError, suggest


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A data set, memory-mapped from its store; the few digits are in memory."""

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
    "country211": ("Country211", {"split": "train"}, {"split": "test"}),
    "emnist": (
        "EMNIST",
        {"split": "balanced", "train": True},
        {"split": "balanced", "train": False},
    ),
    "fgvcaircraft": ("FGVCAircraft", {"split": "trainval"}, {"split": "test"}),
    "food101": ("Food101", {"split": "train"}, {"split": "test"}),
    "imagenette": ("Imagenette", {"split": "train"}, {"split": "val"}),
    "qmnist": ("QMNIST", {"train": True}, {"train": False}),
    "stanfordcars": ("StanfordCars", {"split": "train"}, {"split": "test"}),
    "usps": ("USPS", {"train": True}, {"train": False}),
}
NAMES = ["digits", *sorted([*TORCHVISION, *(f"{name}-test" for name in TORCHVISION)])]


def open_named(
    name: str, *, size: int, cache: Path, download: bool, progress: Progress
) -> NamedSet:
    """Return a data set by name, for training at `size` px.

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
    return _torchvision(plain, size, cache, download, progress)


def _digits(size: int) -> NamedSet:
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # 0..16, 8x8 px
    side = stored_side([8], size)
    pixels = np.stack([square(Image.fromarray(level), side=side) for level in levels])
    paths = tuple(f"digits/{number:04d}" for number in range(len(pixels)))
    classes = tuple(str(digit) for digit in range(10))
    return NamedSet("digits", pixels, paths, classes, digits.target.astype(np.int64))


def _torchvision(name: str, size: int, cache: Path, download: bool, progress: Progress) -> NamedSet:
    """Return a set of torchvision's from the store, decoded there if need be."""
    dataset = _dataset(name, cache / "named", download)
    total = len(dataset)
    sample = [dataset[row] for row in sorted({i * total // SAMPLED for i in range(SAMPLED)})]
    folder = keep(
        cache,
        store_name(name, size),
        state=_state(total, sample),
        whole=is_whole,
        fill=lambda half: _fill(half, dataset, sample, size, progress),
        waiting=lambda: progress("wait for another process that decodes these images", 0, 0),
    )
    index = np.load(folder / "labels.npy")
    classes = _class_names(getattr(dataset, "classes", range(int(index.max()) + 1)))
    paths = tuple(f"{name}/{row:06d}" for row in range(total))
    return NamedSet(name, read_store(folder).pixels, paths, classes, index)


def _class_names(classes: Iterable[object]) -> tuple[str, ...]:
    """Return one name a class; a set may have several for some (Imagenette)."""
    return tuple(str(found[0] if isinstance(found, tuple) else found) for found in classes)


def _state(total: int, sample: list[Any]) -> str:
    """Return a word that tells these images and these decoding policies from others."""
    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {total}".encode())
    for image, label in sample:
        digest.update(image.tobytes() + str(label).encode())
    return digest.hexdigest()[:16]


def _fill(folder: Path, dataset: Any, sample: list[Any], size: int, progress: Progress) -> None:
    total, side = len(dataset), stored_side([min(image.size) for image, _ in sample], size)
    allocate(folder / "pixels.u8", total * 3 * side * side)
    index = np.empty(total, dtype=np.int64)
    with (folder / "pixels.u8").open("r+b") as file:
        for row in range(total):
            image, label = dataset[row]
            file.write(square(image, side=side).data)
            index[row] = label
            if row % 1000 == 0:
                progress("decode", row, total)
    np.save(folder / "labels.npy", index)
    finish(folder, images=total, side=side, failed={})
    progress("decode", total, total)


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
            f"the data set {name!r} is not in {str(root)!r}, where torchvision's files are looked "
            "for; put them there, or let selfsight train --download fetch them"
        ) from error
