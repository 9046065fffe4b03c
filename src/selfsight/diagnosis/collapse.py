"""Collapse by name: what went wrong with a run's vectors, the likely cause, what to change first.

Methods with prototypes are judged by their assignments, tasks with targets of their own by their
loss, all others by their vectors and their loss:

one-prototype   nearly all images are assigned to a single prototype (DINO without centring, SwAV
                without its even use of prototypes)
cluster         few of the prototypes are used: often on the way to one
uniform         every image gets every prototype alike (DINO without sharpening)
complete        all vectors are nearly one (BYOL without predictor and slow target), or they have
                shrunk where the loss sees their length (VICReg without its variance term)
uniform         the loss stays where outputs that ignore the image put it (a temperature far too
                high; keys that are the same for all images)
dimensional     the vectors fill a line of their space (Barlow Twins without its off-diagonal term;
                SimSiam without stop-gradient, whose batch norm forbids a point)

Thresholds are far from what healthy runs show, so that silence is the rule; a run can still be bad
without having collapsed. `bench/collapse.py` measures the margins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

SETTLED = 20  # steps before which nothing is said: a fresh network has not collapsed
HOVERING = 100  # the same for the loss of a task with targets of its own: it is slow to leave ln K
SPREAD = 0.15  # of 1/sqrt(d); a mean cosine of 0.98
SHRUNK = 0.1  # standard deviation of the vectors, of the 1 that the loss asks for
RANK = 1.5  # effective rank: one direction holds nine tenths of the variance
ONE_PROTOTYPE = 0.2  # entropy of the mean assignment, as a share of what sure ones would have:
FEW_PROTOTYPES = 0.5  # of 512 prototypes and as many images, 3.5 and 23
UNIFORM = 0.9  # the same, as a share of ln K
SAID = 0.003  # entropy of the mean assignment minus the assignments' own: what they say of an image
STUCK = 0.003  # distance of the loss from its constant, as a share of what there is to learn
EXACT = 2e-6  # the same, when not even rounding moves the loss


@dataclass(frozen=True, slots=True)
class Collapse:
    """A collapse, for people: its name, its likely cause and what to change first."""

    mode: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.mode} collapse: {self.cause}. First: {self.remedy}"

    def treated(self, remedies: Mapping[str, str]) -> "Collapse":
        """Return the collapse with the remedy for its mode, if `remedies` has one."""
        return replace(self, remedy=remedies.get(self.mode, self.remedy))


ONE = Collapse(
    "one-prototype",
    "nearly all images are assigned to one prototype; what keeps the others in use is too weak",
    "lower the learning rate; then look at what balances the prototypes",
)
CLUSTER = Collapse(
    "cluster",
    "few of the prototypes are used; what keeps the others in use is too weak",
    "use fewer prototypes; then look at what balances them",
)
ALIKE = Collapse(
    "uniform",
    "every prototype is as likely as any other for every image; the assignments are too soft",
    "lower the temperature of the assignments",
)
SAME = Collapse(
    "complete",
    "all images are assigned to the same mixture of prototypes",
    "lower the learning rate; then look at what balances the prototypes",
)
COMPLETE = Collapse(
    "complete",
    "all vectors are nearly one; what keeps them apart is missing or too weak",
    "lower the learning rate; then look at what keeps vectors apart in this method",
)
DIMENSIONAL = Collapse(
    "dimensional",
    "the vectors fill a line of their space; what keeps dimensions apart is missing or too weak",
    "lower the learning rate; then look at what keeps dimensions apart in this method",
)
BLIND = Collapse(
    "uniform",
    "the loss stays where outputs that ignore the image put it, whatever the vectors do; a "
    "temperature far too high, or nothing is learned at all",
    "lower the temperature if there is one; then raise the learning rate",
)
SAME_TARGETS = Collapse(
    "uniform",
    "the loss is exactly that of equal outputs: what the vectors are compared with (keys, targets) "
    "is the same for all images",
    "lower the learning rate; then look at the network that makes the keys or targets, and at its "
    "momentum",
)


def find_collapse(look: Mapping[str, Any], before: Mapping[str, Any]) -> Collapse | None:
    """Return the collapse that a look shows, or None. A number that is none shows nothing.

    look, before: this look and the one before it (empty if there was none), with the fields that
    `look.py` explains.
    """
    if look["step"] < SETTLED:
        return None
    if look["mean_assignment_entropy"] is not None:
        return _of_assignments(look)
    if look["vectors_tell"] and _one_point(look):
        return COMPLETE
    if _at_its_constant(look):
        # Once alone may be passing by: every run begins near it.
        return _stuck(look) if _at_its_constant(before) else None
    return DIMENSIONAL if look["vectors_tell"] and look["effective_rank"] < RANK else None


def _of_assignments(look: Mapping[str, Any]) -> Collapse | None:
    """Judge by the assignments alone: narrow vectors may still be told apart by sharp ones.

    Nor does the loss tell: a healthy run of theirs may hold it near ln K for long.
    """
    mean, each = look["mean_assignment_entropy"], look["assignment_entropy"]
    sure = look["sure_assignment_entropy"]  # few images cannot use many prototypes
    if mean < ONE_PROTOTYPE * sure:
        return ONE
    if mean - each < SAID:
        return ALIKE if mean > UNIFORM else SAME
    return CLUSTER if mean < FEW_PROTOTYPES * sure else None


def _one_point(look: Mapping[str, Any]) -> bool:
    shrunk = look["scale"] is not None and look["scale"] < SHRUNK
    return bool(shrunk or look["spread"] < SPREAD * look["spread_ideal"])


def _at_its_constant(look: Mapping[str, Any]) -> bool:
    """Return whether the loss was that of equal outputs in the steps before the look and in it.

    Never where that is the loss of a perfect network too.
    """
    if not look or look["collapsed"] is None:
        return False
    if look["step"] < (SETTLED if look["vectors_tell"] else HOVERING):
        return False
    near = STUCK * abs(look["knows_nothing"] - look["perfect"])
    if abs(look["collapsed_in_training"] - look["perfect"]) < near:
        return False
    now = abs(look["loss_watched"] - look["collapsed"])
    lately = abs(look["loss"] - look["collapsed_in_training"])
    return bool(now < near and lately < near)


def _stuck(look: Mapping[str, Any]) -> Collapse:
    exactly = abs(look["loss_watched"] - look["collapsed"]) <= EXACT * abs(look["collapsed"])
    return SAME_TARGETS if exactly else BLIND
