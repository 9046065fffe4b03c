"""One sentence on a map: whether it may be trusted on these images, and why.

The rule, stated with every result: a map may be trusted where hiding and showing what it puts first
both beat random orders by more than two standard deviations, and where it changes with the weights
(a rank correlation of at most 0.5 with the map of the network with random weights). It is not to be
trusted where neither test beats chance or where it hardly changes (above 0.8). The rest is between.
"""

import math
from dataclasses import dataclass
from typing import Literal

from selfsight.explaining.faithfulness import Order

SURE = 2.0  # standard deviations of a random order's mean
CHANGED, UNCHANGED = 0.5, 0.8
SAME_FOR_ALL = 0.9  # correlation with the map toward another target
RULE = (
    f"trusted: deletion and insertion each gain more than {SURE:g} standard deviations over random "
    f"orders, and the rank correlation after randomising the weights is at most {CHANGED:g}; "
    f"not trusted: neither does, or the correlation is above {UNCHANGED:g}; otherwise: with care"
)

Word = Literal["trusted", "with care", "not trusted"]


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict on one kind of map, for these images and this target."""

    word: Word
    sentence: str


def judge(
    title: str,
    order: Order,
    *,
    randomised: float,
    other_target: float,
    centre: Order,
    empty: bool = False,
) -> Trust:
    """Return the verdict. randomised, other_target: mean rank correlations, NaN if unknown.

    empty: whether the encoder's own maps mark nothing, being flat.
    """
    if empty:
        return Trust("not trusted", f"{title} is not to be trusted here: it is empty.")
    hides, shows = order.deletion.sure > SURE, order.insertion.sure > SURE
    word: Word = "with care"
    if (not hides and not shows) or randomised > UNCHANGED:
        word = "not trusted"
    elif hides and shows and not randomised > CHANGED:  # NaN: a flat map, so it changed
        word = "trusted"
    verdict = {
        "trusted": "may be trusted here",
        "with care": "is to be read with care here",
        "not trusted": "is not to be trusted here",
    }[word]
    reasons = [_tests(hides=hides, shows=shows), _weights(randomised)]
    remarks = []
    if word != "not trusted" and _no_better(order, centre):
        remarks.append("An order from the centre outwards does as well.")
    if other_target > SAME_FOR_ALL:
        remarks.append(
            "It is nearly the same toward any target: it shows what the encoder responds to, "
            "not what this target asks for."
        )
    return Trust(word, " ".join([f"{title} {verdict}: {', and '.join(reasons)}.", *remarks]))


def _tests(*, hides: bool, shows: bool) -> str:
    if hides and shows:
        return "what it marks counts more than random places, hidden or shown alone"
    if hides:
        return "hiding what it marks counts more than hiding random places, showing it does not"
    if shows:
        return "showing what it marks counts more than showing random places, hiding it does not"
    return "what it marks counts no more than random places"


def _weights(randomised: float) -> str:
    if math.isnan(randomised):
        return "with random weights it is empty"
    if randomised <= CHANGED:
        return f"it changes when the weights are random (rank correlation {randomised:.2f})"
    if randomised <= UNCHANGED:
        return f"it changes only in part when the weights are random ({randomised:.2f})"
    return (
        f"it hardly changes when the weights are random ({randomised:.2f}), so either it ignores "
        "the network or this encoder looks where an untrained one does"
    )


def _no_better(order: Order, centre: Order) -> bool:
    return (
        order.deletion.mean <= centre.deletion.mean
        and order.insertion.mean <= centre.insertion.mean
    )
