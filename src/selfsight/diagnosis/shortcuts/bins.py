"""Traits as few kinds, so that numbers and words are read and tested alike.

A number with few values is a word. Other numbers are cut where equally many images of the training
part lie between cuts; a missing value is a kind of its own. Kinds with too few training images are
put together, or left out (-1) where they are still too few.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64

from selfsight.diagnosis.shortcuts.traits import Trait

FEW = 10  # training images below which a kind is too small to be read
WORDS = 8  # values up to which a number is a word
UNKNOWN = "none"


@dataclass(frozen=True, slots=True)
class Binned:
    """The kind of every image, counted from 0, and what the kinds are; -1 is left out."""

    kinds: Int64[np.ndarray, "images"]
    names: tuple[str, ...]

    @property
    def varies(self) -> bool:
        """Whether there are two kinds to tell apart."""
        return len(self.names) > 1


def binned(trait: Trait, *, training: Bool[np.ndarray, "images"], most: int) -> Binned:
    """Return a trait as at most `most` kinds, all choices being made on the training images."""
    most = max(2, min(most, int(training.sum()) // (2 * FEW)))
    words = (
        tuple(word or UNKNOWN for word in trait.values)
        if isinstance(trait.values, tuple)
        else _words(trait.values, training, most)
    )
    counts = Counter(word for word, used in zip(words, training.tolist(), strict=True) if used)
    places = most if len(counts) <= most else most - 1  # one is left for the others
    names = [word for word, count in counts.most_common(places) if count >= FEW]
    others = counts.total() - sum(counts[name] for name in names) >= FEW
    number = {name: place for place, name in enumerate(names)}
    rest = len(names) if others else -1
    kinds = np.array([number.get(word, rest) for word in words], dtype=np.int64)
    return Binned(kinds, (*names, "others") if others else tuple(names))


def _words(
    values: Float64[np.ndarray, "images"], training: Bool[np.ndarray, "images"], most: int
) -> tuple[str, ...]:
    known = np.isfinite(values)
    seen = values[known & training]
    if len(np.unique(seen)) <= min(WORDS, most):
        return tuple(
            f"{value:g}" if finite else UNKNOWN
            for value, finite in zip(values.tolist(), known.tolist(), strict=True)
        )
    cuts = np.unique(np.quantile(seen, np.arange(1, most) / most))
    places = np.searchsorted(cuts, values, side="right")
    ends = ["", *(f"{cut:.4g}" for cut in cuts), ""]
    names = [
        f"from {low} to {high}" if low and high else f"below {high}" if high else f"from {low}"
        for low, high in pairwise(ends)
    ]
    return tuple(
        names[place] if finite else UNKNOWN
        for place, finite in zip(places.tolist(), known.tolist(), strict=True)
    )
