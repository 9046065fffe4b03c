"""Collapse by name: what went wrong with a run's vectors, the likely cause, what to change first.

Five modes, in the order in which they are looked for:

one prototype   nearly all images are assigned to a single prototype (DINO without centring)
uniform         every image gets every prototype alike, or the loss sits where outputs that do not
                depend on the image put it (DINO without sharpening; a temperature far too high)
complete        all vectors are nearly one (SimSiam without its stop-gradient)
dimensional     the vectors fill a line or a plane of their space (Barlow Twins without its
                off-diagonal term)
cluster         few of the prototypes are used

Thresholds are far from what healthy runs show, so that silence is the rule; a run can still be bad
without having collapsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPREAD = 0.1  # of 1/sqrt(d)
SHRUNK = 0.02  # of the vectors' scale at the first look, where the scale means something
RANK = 2.0  # effective rank
SAID = 0.01  # entropy of the mean assignment minus the assignments' own: what they say of an image
ONE_PROTOTYPE = 0.3  # entropy of the mean assignment, as a share of ln K
UNIFORM = 0.9  # the same
FEW_PROTOTYPES = 0.3  # the same, for assignments that do tell images apart
STUCK = 0.003  # distance of the loss from its constant, as a share of what there is to learn
SETTLED = 40  # steps before a loss near its constant means anything: every run begins near it


@dataclass(frozen=True, slots=True)
class Collapse:
    """A collapse, for people: its name, its likely cause and what to change first."""

    mode: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.mode} collapse: {self.cause}. First: {self.remedy}"


ONE = Collapse(
    "one-prototype",
    "nearly all images are assigned to one prototype; the teacher is not centred enough",
    "centre more quickly or lower the learning rate",
)
ALIKE = Collapse(
    "uniform",
    "every prototype is as likely as any other for every image; nothing sharpens the teacher",
    "lower the teacher's temperature",
)
STUCK_LOSS = Collapse(
    "uniform",
    "the loss sits where outputs that ignore the image put it",
    "lower the temperature; then raise the learning rate",
)
COMPLETE = Collapse(
    "complete",
    "all vectors are nearly one; what keeps them apart is missing or too weak",
    "lower the learning rate; then look at the method's stop-gradient, momentum and variance term",
)
DIMENSIONAL = Collapse(
    "dimensional",
    "the vectors fill a line or a plane of their space",
    "give more weight to the term that decorrelates dimensions, or lower the learning rate",
)
SAME = Collapse(
    "complete",
    "all images are assigned to the same mixture of prototypes",
    "lower the learning rate; then look at what balances the prototypes",
)
CLUSTER = Collapse(
    "cluster",
    "few prototypes are used",
    "use fewer prototypes or a lower epsilon, and keep the prototypes still for longer",
)


def find_collapse(look: Mapping[str, Any], first: Mapping[str, Any]) -> Collapse | None:
    """Return the collapse that a look shows, or None.

    look, first: this and the run's first look (`look.py`): step, spread, spread_ideal,
    effective_rank, scale (None where a method's vectors have no meaningful length), loss_watched,
    knows_nothing, perfect, collapsed (None if the method has no such constant), and the
    assignments' entropies as shares of ln K, None without prototypes.
    """
    mean, each = look["mean_assignment_entropy"], look["assignment_entropy"]
    if mean is not None and mean - each < SAID and look["step"] >= SETTLED:
        if mean < ONE_PROTOTYPE:
            return ONE
        return ALIKE if mean > UNIFORM else SAME
    if look["spread"] < SPREAD * look["spread_ideal"] or _shrunk(look, first):
        return COMPLETE
    if look["effective_rank"] < RANK:
        return DIMENSIONAL
    if mean is not None and mean < FEW_PROTOTYPES:
        return CLUSTER
    return STUCK_LOSS if _stuck(look) else None


def _shrunk(look: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
    return look["scale"] is not None and look["scale"] < SHRUNK * first["scale"]


def _stuck(look: Mapping[str, Any]) -> bool:
    if look["collapsed"] is None or look["step"] < SETTLED:
        return False
    range_ = abs(look["knows_nothing"] - look["perfect"])
    return bool(abs(look["loss_watched"] - look["collapsed"]) < STUCK * range_)
