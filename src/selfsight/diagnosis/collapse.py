"""Collapse by name: what went wrong with a run's vectors, the likely cause, what to change first.

The modes, in the order in which they are looked for:

one-prototype   nearly all images are assigned to a single prototype (DINO without centring, SwAV
                without its even use of prototypes)
uniform         every image gets every prototype alike (DINO without sharpening)
cluster         few of the prototypes are used
complete        all vectors are nearly one (BYOL without predictor and slow target), or they have
                shrunk where the loss sees their length (VICReg without its variance term)
uniform         the loss sits where outputs that ignore the image put it (a temperature far too
                high)
dimensional     the vectors fill a line of their space (Barlow Twins without its off-diagonal term;
                SimSiam without stop-gradient, whose batch norm forbids a point)

Thresholds are far from what healthy runs show, so that silence is the rule; a run can still be bad
without having collapsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTLED = 20  # steps before which nothing is said: a fresh network has not collapsed
SPREAD = 0.1  # of 1/sqrt(d); a mean cosine of 0.99
SHRUNK = 0.1  # of the vectors' scale at the first look, where the scale means something
RANK = 2.0  # effective rank
ONE_PROTOTYPE = 0.15  # entropy of the mean assignment, as a share of ln K: 2.5 of 512
FEW_PROTOTYPES = 0.3  # the same: 6.5 of 512
UNIFORM = 0.9  # the same
SAID = 0.003  # entropy of the mean assignment minus the assignments' own: what they say of an image
STUCK = 0.003  # distance of the loss from its constant, as a share of what there is to learn
RISEN = 0.05  # progress from which such a loss means something: every run begins near it


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
    "the vectors fill a line of their space; what keeps dimensions apart is missing or too weak",
    "lower the learning rate; then look at the method's predictor, stop-gradient and "
    "decorrelating term",
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

    look, first: this and the run's first look, with the fields that `look.py` explains.
    """
    if look["step"] < SETTLED:
        return None
    if look["mean_assignment_entropy"] is not None:
        return _of_assignments(look) or _of_vectors(look, first)
    return _of_vectors(look, first)


def _of_assignments(look: Mapping[str, Any]) -> Collapse | None:
    mean, each = look["mean_assignment_entropy"], look["assignment_entropy"]
    if mean < ONE_PROTOTYPE:
        return ONE
    if mean - each < SAID:
        return ALIKE if mean > UNIFORM else SAME
    return CLUSTER if mean < FEW_PROTOTYPES else None


def _of_vectors(look: Mapping[str, Any], first: Mapping[str, Any]) -> Collapse | None:
    shrunk = look["scale"] is not None and look["scale"] < SHRUNK * first["scale"]
    if shrunk or look["spread"] < SPREAD * look["spread_ideal"]:
        return COMPLETE
    if _stuck(look):
        return STUCK_LOSS
    return DIMENSIONAL if look["effective_rank"] < RANK else None


def _stuck(look: Mapping[str, Any]) -> bool:
    """Return whether the loss was at its constant in the steps before the look, and is in it.

    One alone may be passing by. Assignments are judged by themselves, better than by their loss,
    which a healthy run of theirs may hold near ln K for long.
    """
    if look["collapsed"] is None or look["mean_assignment_entropy"] is not None:
        return False
    near = STUCK * abs(look["knows_nothing"] - look["perfect"])
    now = abs(look["loss_watched"] - look["collapsed"])
    before = abs(look["loss"] - look["collapsed_in_training"])
    return bool(look["progress"] >= RISEN and now < near and before < near)
