"""How well one thing can be read from another on held-out images, against chance.

The reader is a linear probe (or any other) fitted on other images; each held-out image is answered
once. Balanced accuracy, the mean over kinds of the share answered right, is not moved by one kind
being frequent. Chance is what the same answers reach when the truth is shuffled, and p comes from
the same shuffles. The interval is a bootstrap over the held-out images of each kind.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from selfsight.diagnosis.shortcuts.permutation import orders, p_value
from selfsight.diagnosis.shortcuts.resampling import RESAMPLES, percentiles
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.interval import Interval
from selfsight.evaluation.linear import linear_probe


@dataclass(frozen=True, slots=True)
class Reading:
    """How well something was read on held-out images, all in [0, 1]."""

    accuracy: Interval  # balanced
    chance: float  # balanced accuracy of the same answers to a shuffled truth
    p: float  # of the permutation test, not corrected for other tests
    kinds: int
    images: int  # held out

    @property
    def share(self) -> float:
        """How far from chance (0) to perfect (1); below 0 where chance did better."""
        return (self.accuracy.value - self.chance) / max(1e-9, 1 - self.chance)


def read(
    predicted: Int64[np.ndarray, "images"],
    truth: Int64[np.ndarray, "images"],
    *,
    within: Int64[np.ndarray, "images"] | None = None,
    seed: int,
) -> Reading:
    """Return how well answers agree with the truth; both are kinds counted from 0.

    within: strata inside which the truth is shuffled; chance then knows the stratum.
    """
    assert len(predicted) == len(truth) > 0
    right = predicted == truth
    kinds, counts = np.unique(truth, return_counts=True)
    found = float((evenly(truth) * right).mean())
    # weights by kind, so that a shuffled truth looks its own up
    of_kind = np.zeros(int(max(truth.max(), predicted.max())) + 1)
    of_kind[kinds] = 1 / (counts * len(kinds))
    by_chance = np.concatenate(
        [
            ((shuffled == predicted) * of_kind[predicted]).sum(axis=1)
            for shuffled in orders(truth, within=within, seed=seed)
        ]
    )
    shares = np.array([right[truth == kind].mean() for kind in kinds])
    return Reading(
        accuracy=_interval(found, shares, counts, seed=seed),
        chance=float(by_chance.mean()),
        p=p_value(found, by_chance),
        kinds=len(kinds),
        images=len(truth),
    )


def evenly(truth: Int64[np.ndarray, "images"]) -> Float64[np.ndarray, "images"]:
    """Return weights, 1 on average, under which every kind counts as much as every other.

    The mean of weighted answers, right or wrong, is balanced accuracy.
    """
    kinds, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    weights: Float64[np.ndarray, "images"] = len(truth) / (counts[place] * len(kinds))
    return weights


def probed(
    train: tuple[Float32[np.ndarray, "images dim"], Int64[np.ndarray, "images"]],
    *queries: Float32[np.ndarray, "_queries dim"],
    seed: int,
) -> list[Int64[np.ndarray, "_queries"]]:
    """Return the answers of one linear probe to several sets of features.

    train: features and kinds, counted from 0. Kinds of which there is only one are answered always.
    """
    features, kinds = train
    if len(np.unique(kinds)) < 2:
        return [np.full(len(query), kinds[0]) for query in queries]
    together = np.concatenate(queries)
    unread = np.zeros(len(together), dtype=np.int64)  # the probe looks at no truth
    answers = linear_probe(
        Embeddings(features, kinds), Embeddings(together, unread), seed=seed
    ).predicted
    ends = np.cumsum([len(query) for query in queries])
    return np.split(answers, ends[:-1])


def _interval(
    found: float,
    shares: Float64[np.ndarray, "kinds"],
    counts: Int64[np.ndarray, "kinds"],
    *,
    seed: int,
) -> Interval:
    """Return the interval of a mean of shares, each kind's images drawn anew by themselves."""
    drawn = np.random.default_rng(seed).binomial(counts, shares, size=(RESAMPLES, len(counts)))
    return percentiles(found, (drawn / counts).mean(axis=1))
