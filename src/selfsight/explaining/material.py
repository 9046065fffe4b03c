"""Which images are explained, and which others they are compared with."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from selfsight.data.splits import even_sample
from selfsight.errors import UserError
from selfsight.explaining.bank import AT_ONCE, Bank
from selfsight.explaining.pictures import Picture
from selfsight.explaining.sources import Source

MOST = 1000  # images in the bank
FOIL = 256  # images whose mean similarity may be subtracted


@dataclass(frozen=True, slots=True)
class Material:
    """The bank, the rows in it of the explained images and of the foil, and all its paths."""

    bank: Bank
    rows: Int[np.ndarray, "images"]
    foil: Int[np.ndarray, "foil"]
    paths: Sequence[str]
    pictures: tuple[Picture, ...]  # of the explained images

    def fingerprint(self) -> str:
        """Return a short text that tells these images from others, by names and pixels."""
        names = self.paths, tuple(self.bank.names), self.bank.labels.tolist(), self.rows.tolist()
        found = hashlib.sha256(repr(names).encode())
        for start in range(0, len(self.bank), AT_ONCE):
            part = self.bank.read(self.bank.every[start : start + AT_ONCE])
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()[:16]


def material_of(source: Source, *, count: int, with_label: bool, seed: int) -> Material:
    """Return the images to explain, drawn by the seed, and their bank.

    They are drawn evenly over the classes where every image has one, or one is needed.

    with_label: explain labelled images only, and none that is the only one of its class. Raises
    UserError for a count below 1, and if there is no label where one is needed.
    """
    chosen = _chosen(source.labels, count=count, with_label=with_label, seed=seed)
    first = source.labels if with_label else np.full(len(source), -1)
    kept = _kept(first, chosen, seed=seed)
    rows = np.searchsorted(kept, chosen)
    others = np.setdiff1d(np.arange(len(kept)), rows)
    spaced = np.unique(np.linspace(0, len(others) - 1, FOIL).astype(np.int64))
    return Material(
        bank=Bank(lambda part: source.read(kept[part]), source.labels[kept], source.names),
        rows=rows,
        foil=others[spaced] if len(others) else others,
        paths=[source.paths[row] for row in kept.tolist()],
        pictures=tuple(source.picture(int(row)) for row in chosen),
    )


def _chosen(
    labels: Int[np.ndarray, "images"], *, count: int, with_label: bool, seed: int
) -> Int[np.ndarray, "chosen"]:
    if count < 1:
        raise UserError(f"count is {count}; explain 1 image or more")
    labelled = bool((labels >= 0).any())
    if with_label and not labelled:
        raise UserError(
            "maps toward a label need labels; put the images in one folder per class, "
            "or give --labels FILE.csv"
        )
    if with_label:
        several = np.flatnonzero(np.bincount(labels[labels >= 0]) > 1)
        if len(several):  # if not, the probe will say so
            labels = np.where(np.isin(labels, several), labels, -1)
    if with_label or bool((labels >= 0).all()):
        return even_sample(labels, count=count, seed=seed)
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:count])


def _kept(
    labels: Int[np.ndarray, "images"], chosen: Int[np.ndarray, "chosen"], *, seed: int
) -> Int[np.ndarray, "bank"]:
    """Return the rows of the bank, sorted: the chosen ones and others drawn by the seed.

    Of every class among the labels (-1: none) one other image comes before all the rest.
    """
    drawn = np.random.default_rng(seed).permutation(len(labels))
    others = drawn[~np.isin(drawn, chosen)]
    classes, firsts = np.unique(labels[others], return_index=True)
    firsts = firsts[classes >= 0]
    others = np.concatenate([others[firsts], np.delete(others, firsts)])
    return np.sort(np.concatenate([chosen, others[: max(0, MOST - len(chosen))]]))
