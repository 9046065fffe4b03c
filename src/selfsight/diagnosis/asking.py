"""The shortcut tests, asked of one encoder: on which images, how many, and when not at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from selfsight.data.images import ImageSet
from selfsight.data.splits import split, stratified_sample
from selfsight.diagnosis.finding import Finding, not_measured
from selfsight.diagnosis.measures import Sample
from selfsight.diagnosis.sampling import drawn_rows
from selfsight.diagnosis.shortcuts import audit_finding as view_audit
from selfsight.diagnosis.shortcuts import nuisance_finding as files
from selfsight.diagnosis.shortcuts import planted_finding as planting
from selfsight.diagnosis.shortcuts import stress_finding as stress
from selfsight.diagnosis.shortcuts import twin_finding as twinning
from selfsight.diagnosis.shortcuts.audit import audit_views
from selfsight.diagnosis.shortcuts.cues import PLANTS, Cue
from selfsight.diagnosis.shortcuts.nuisance import Labelled, measure_nuisances
from selfsight.diagnosis.shortcuts.overlap import overlaps
from selfsight.diagnosis.shortcuts.planted import KINDS, measure_cues
from selfsight.diagnosis.shortcuts.reliance import commonest
from selfsight.diagnosis.shortcuts.small_network import small_network
from selfsight.diagnosis.shortcuts.stress import measure_stress
from selfsight.diagnosis.shortcuts.traits import traits_of
from selfsight.diagnosis.shortcuts.twin import Learn, measure_twins
from selfsight.evaluation.embed import Encode
from selfsight.views.augmentation import Augmentation

CUES = (600, 400)  # images to fit on, and to read: of the planted cues
STRESS = (1000, 500)  # of the stress versions
AUDIT = (500, 300)  # of the views
TWINS = (5000, 500)  # of the twins
LEAST = 40  # images in all; fewer can show nothing
LEAST_TWINS = 100  # images in all; of their test part, some must carry another cue than their own
LEAST_READ, MOST_READ = 100, 0.4  # images to read; if there are few, at most this share
MOST_CLASSES = 10  # of the twins' cue
TWIN_CUE, AGREEMENT = "corner mark", 0.9


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about.

    encoders: "encoder" first, then "untrained", and "supervised" where there is one. samples: gives
    the features of these, computed when first asked for. learners: two ways of learning from
    planted images, none if twins are not wanted.
    """

    encoders: Mapping[str, Encode]
    samples: Callable[[], Mapping[str, Sample]]
    images: ImageSet
    augmentations: tuple[Augmentation, ...]
    learners: Mapping[str, Learn]
    seed: int
    progress: Callable[[str, int, int], None]

    def labelled(self) -> ImageSet | None:
        """Return the images with labels, or None if they say too little."""
        images = self.images.part(np.flatnonzero(self.images.labels.index >= 0))
        classes = len(np.unique(images.labels.index))
        return images if classes >= 2 and len(images) >= LEAST else None

    def parts(self, images: ImageSet, sizes: tuple[int, int]) -> tuple[ImageSet, ImageSet]:
        """Return images to fit on and others to read, at most so many, drawn by the seed.

        With labels classes keep their proportions. Few images leave more of them to read.
        """
        share = max(sizes[1] / sum(sizes), min(MOST_READ, LEAST_READ / len(images)))
        first, second = split(len(images), fraction=share, seed=self.seed)
        return (
            self._few(images.part(first), sizes[0]),
            self._few(images.part(second), sizes[1]),
        )

    def _few(self, images: ImageSet, most: int) -> ImageSet:
        labels = np.maximum(images.labels.index, 0)  # without labels: all of one kind
        return images.part(stratified_sample(labels, count=most, seed=self.seed))


def planted_cues(subject: Subject) -> Finding:
    """Return what the encoder makes of six planted cues."""
    labelled = subject.labelled()
    images = subject.images if labelled is None else _enough(labelled)
    if len(images) < LEAST:
        return not_measured("planted_cues", planting.TITLE, why=_too_few(images))
    kinds = KINDS if labelled is None else len(images.labels.names)
    train, test = subject.parts(images, CUES)
    tests = measure_cues(
        {name: subject.encoders[name] for name in ("encoder", "untrained")},
        [Cue(name, kinds, seed=subject.seed) for name in PLANTS],
        train=train,
        test=test,
        reader=partial(small_network, seed=subject.seed),
        seed=subject.seed,
        progress=subject.progress,
    )
    return planting.planted_finding(tests, example=test.batch(np.arange(1))[0])


def nuisances(subject: Subject) -> Finding:
    """Return which traits of the files tell the class, and which of them features show."""
    rows = drawn_rows(len(subject.images), seed=subject.seed)
    images = subject.images.part(rows)
    if len(images) < LEAST:
        return not_measured(files.NAME, files.TITLE, why=_too_few(images))
    training, test = split(len(images), fraction=0.5, seed=subject.seed)
    samples = subject.samples()
    found = measure_nuisances(
        traits_of(images, progress=subject.progress),
        *(samples[name].features.numpy() for name in ("encoder", "untrained")),
        labels=Labelled(images.labels.index, images.labels.names),
        training=training,
        test=test,
        seed=subject.seed,
    )
    return files.nuisance_finding(found)


def stressed(subject: Subject) -> Finding:
    """Return how the reading of the class falls when something is taken away from the images."""
    labelled = subject.labelled()
    if labelled is None:
        return not_measured(stress.NAME, stress.TITLE, why=_unlabelled())
    train, test = subject.parts(labelled, STRESS)
    encoders = {name: subject.encoders[name] for name in ("encoder", "untrained")}
    if "with labels" in subject.learners:
        encoders["supervised"] = subject.learners["with labels"](train, subject.seed)
    found = measure_stress(
        encoders, train=train, test=test, seed=subject.seed, progress=subject.progress
    )
    return stress.stress_finding(found, example=test.batch(np.arange(1))[0])


def views(subject: Subject) -> Finding:
    """Return how much of an image two views share, and which operation destroys the label."""
    side = subject.images.pixels.shape[-1]
    shared = overlaps(subject.augmentations, height=side, width=side, seed=subject.seed)
    labelled = subject.labelled()
    if labelled is None:
        return view_audit.audit_finding(shared, None)
    train, test = subject.parts(labelled, AUDIT)
    audit = audit_views(
        partial(small_network, seed=subject.seed),
        subject.augmentations,
        train=train,
        test=test,
        seed=subject.seed,
        progress=subject.progress,
    )
    return view_audit.audit_finding(shared, audit)


def twins(subject: Subject) -> Finding:
    """Return who relies more on a cue that agreed with the label: with labels, or without."""
    labelled = subject.labelled()
    if labelled is None:
        return not_measured(twinning.NAME, twinning.TITLE, why=_unlabelled())
    images = commonest(labelled, most=MOST_CLASSES)
    if len(images) < LEAST_TWINS:
        why = f"The {MOST_CLASSES} commonest classes have {len(images)} images; this needs at least"
        return not_measured(twinning.NAME, twinning.TITLE, why=f"{why} {LEAST_TWINS}.")
    train, test = subject.parts(images, TWINS)
    found = measure_twins(
        subject.learners,
        Cue(TWIN_CUE, len(images.labels.names), seed=subject.seed),
        train=train,
        test=test,
        agreement=AGREEMENT,
        seeds=(subject.seed,),
        progress=subject.progress,
    )
    return twinning.twin_finding(found)


def _enough(labelled: ImageSet) -> ImageSet:
    """Return the images of the KINDS commonest classes, or of more where these have too few."""
    for most in range(KINDS, len(labelled.labels.names) + 1):
        images = commonest(labelled, most=most)
        if len(images) >= LEAST:
            return images
    return labelled


def _too_few(images: ImageSet) -> str:
    return f"There are {len(images)} images; this needs at least {LEAST}."


def _unlabelled() -> str:
    return f"This needs at least {LEAST} images with labels of two or more classes."
