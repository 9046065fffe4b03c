"""The view audit: which operation of the views destroys what the labels are about?

A method that compares views learns to ignore what its operations change. Where that is the purpose
(the colour of a flower's species) it unlearns what it was wanted for. So, with a few labels, each
operation is applied by itself, as often and as strongly as training applies it, and a linear probe
is fitted on features of such views and asked about such views of held-out images. What it reads
less than from untouched images, as a share of what it read beyond chance, is what the operation
destroys: information lost, since the probe was fitted on such views, and not mere strangeness.

The reader learns anew for every operation, from scratch: a trained encoder has already forgotten
what its operations change, and features that were made once may be confused by views that another
reader sees through. A reader sees what it sees; an operation may destroy what it never showed.
All accuracies are balanced, so that a rare class counts as much as a common one.
p is from a sign-flip test on the held-out images, corrected by Holm's method over the operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from selfsight.data.images import ImageSet, quiet
from selfsight.diagnosis.shortcuts.permutation import LEVEL, sign_flip
from selfsight.diagnosis.shortcuts.reading import Reading, evenly, probed, read
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.diagnosis.shortcuts.shown import Reader, shown, viewed
from selfsight.diagnosis.shortcuts.wording import joined
from selfsight.evaluation.embed import Progress
from selfsight.evaluation.interval import Interval
from selfsight.evaluation.seeds import holm
from selfsight.views.augmentation import Augmentation

JITTER = ("brightness", "contrast", "saturation", "hue")
DRAWS = 2  # views of each image
DESTROYED = 0.5  # share of what was read of the label, from which an operation is pointed at

Numbers = Int64[np.ndarray, "..."]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation of the views leaves of the label."""

    name: str
    setting: str  # as training has it
    reading: Reading  # of the label from views
    loss: Interval  # balanced accuracy on untouched images minus that on views; paired
    destroyed: float  # the loss as a share of what untouched images tell beyond chance
    p: float  # of a loss above 0, corrected for the number of operations

    @property
    def alarm(self) -> bool:
        """Whether the operation destroys the label: surely, and most of it."""
        return self.p <= LEVEL and self.destroyed >= DESTROYED


@dataclass(frozen=True, slots=True)
class Audit:
    """What the reader tells of the label from untouched images, and of each operation's views."""

    whole: Reading
    operations: tuple[Operation, ...]


def audit_views(
    reader: Reader,
    augmentations: Sequence[Augmentation],
    *,
    train: ImageSet,
    test: ImageSet,
    seed: int,
    progress: Progress = quiet,
) -> Audit:
    """Return what each operation of the augmentations destroys of the label.

    reader: learns features that tell the labels of changed images (`small_network`). train, test:
    labelled images, classes numbered alike.
    """
    truth, labels = test.labels.index, np.tile(train.labels.index, DRAWS)

    def answered(view: Augmentation, what: str) -> Numbers:
        read_features = reader(train, viewed(view, seed=seed), train.labels.index)
        features = [
            np.concatenate(
                [
                    shown(
                        read_features,
                        part,
                        viewed(view, seed=first + draw),
                        what=what,
                        progress=progress,
                    )
                    for draw in range(DRAWS)
                ]
            )
            for part, first in ((train, seed), (test, seed + DRAWS))
        ]
        (answers,) = probed((features[0], labels), features[1], seed=seed)
        return answers.reshape(DRAWS, len(test))

    whole, weights = answered(_bare(augmentations[0]), "whole images"), evenly(truth)
    untouched = read(whole[0], truth, seed=seed)
    beyond = float((weights * (whole == truth)).mean()) - untouched.chance
    found = []
    for name, (view, setting) in operations(augmentations).items():
        answers = answered(view, name)
        losses = weights * ((whole == truth).mean(axis=0) - (answers == truth).mean(axis=0))
        found.append(
            Operation(
                name,
                setting,
                read(answers[0], truth, seed=seed),
                mean_interval(losses, seed=seed),
                float(losses.mean()) / beyond if untouched.p <= LEVEL and beyond > 0 else np.nan,
                sign_flip(losses, seed=seed),
            )
        )
    corrected = holm([one.p for one in found])
    return Audit(
        untouched,
        tuple(replace(one, p=p) for one, p in zip(found, corrected, strict=True)),
    )


def operations(augmentations: Sequence[Augmentation]) -> dict[str, tuple[Augmentation, str]]:
    """Return each operation of some augmentations by itself, and its setting in words.

    An operation that later views have with another setting, or another size, is one more: "blur
    (view 2)". Operations that are never applied are left out.
    """
    found: dict[str, tuple[Augmentation, str]] = {}
    for number, augmentation in enumerate(augmentations, 1):
        for name, one in _operations(augmentation).items():
            if one not in found.values():
                found[f"{name} (view {number})" if name in found else name] = one
    return found


def _operations(augmentation: Augmentation) -> dict[str, tuple[Augmentation, str]]:
    """Return the augmentation with one operation at a time, and that operation's setting in words.

    Operations that it never applies are left out.
    """
    of, bare = augmentation, _bare(augmentation)
    found: dict[str, tuple[Augmentation, str]] = {}
    if of.area[0] < 1 or of.aspect != (1.0, 1.0):
        crop = replace(bare, area=of.area, aspect=of.aspect)
        found["crop"] = crop, f"{of.area[0]:.0%} to {of.area[1]:.0%} of the area"
    if of.flip:
        found["flip"] = replace(bare, flip=of.flip), f"{of.flip:.0%} of views"
    if of.vertical_flip:
        flip = replace(bare, vertical_flip=of.vertical_flip)
        found["vertical flip"] = flip, f"{of.vertical_flip:.0%} of views"
    parts = {part: getattr(of, part) for part in JITTER if getattr(of, part)}
    for part, strength in parts.items() if len(parts) > 1 else ():
        found[f"{part} alone"] = (
            replace(bare, jitter=of.jitter, **{part: strength}),
            f"by up to {strength:g} in {of.jitter:.0%} of views",
        )
    if parts:
        found["colour jitter"] = (
            replace(bare, jitter=of.jitter, **parts),
            f"{joined([f'{part} by up to {most:g}' for part, most in parts.items()])} "
            f"in {of.jitter:.0%} of views",
        )
    if of.grey:
        found["greyscale"] = replace(bare, grey=of.grey), f"{of.grey:.0%} of views"
    if of.blur:
        blur = replace(bare, blur=of.blur, sigma=of.sigma)
        found["blur"] = blur, f"{of.blur:.0%} of views"
    if of.solarise:
        found["solarise"] = replace(bare, solarise=of.solarise), f"{of.solarise:.0%} of views"
    return found


def _bare(augmentation: Augmentation) -> Augmentation:
    """Return an augmentation that resizes and does nothing else."""
    return Augmentation(augmentation.size, area=(1.0, 1.0), aspect=(1.0, 1.0), flip=0.0)
