"""Which images are explained, and which others they are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from selfsight.data.splits import even_sample
from selfsight.errors import UserError
from selfsight.explaining.bank import Bank
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


def material_of(source: Source, *, count: int, with_label: bool, seed: int) -> Material:
    """Return the images to explain, chosen evenly over the classes by the seed, and their bank.

    with_label: explain labelled images only. Raises UserError for a count below 1, and if there is
    no label where one is needed.
    """
    chosen = _chosen(source.labels, count=count, with_label=with_label, seed=seed)
    kept = _kept(len(source), chosen, seed=seed)
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
    if labelled:
        return even_sample(labels, count=count, seed=seed)
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:count])


def _kept(total: int, chosen: Int[np.ndarray, "chosen"], *, seed: int) -> Int[np.ndarray, "bank"]:
    """Return the rows of the bank, sorted: the chosen ones and others drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(total)
    others = drawn[~np.isin(drawn, chosen)][: max(0, MOST - len(chosen))]
    return np.sort(np.concatenate([chosen, others]))
