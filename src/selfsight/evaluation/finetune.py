"""Fine-tuning with labels and, by the same function on a fresh encoder, training from scratch.

How long: 400 n^(2/3) views for n labels (10 labels: 1,900; 1,000: 40,000; 50,000: 543,000), times
the `effort`, in batches of about n / 8 images, from 32 to 256. A batch larger than n holds several
views of an image.

How it is tuned, on training labels alone: a fifth of every class (one image or more, but no class's
only one; about 1,000 in all at most) is held back, and chooses rate, views and number of steps
(`tuning.py`). Then all labels are trained on anew, by a schedule that ends where the best one was
stopped, unless less than a twentieth had been held back. Where nothing can be held back, the
default setting goes through the whole schedule.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from selfsight.data.images import ImageSet, quiet
from selfsight.errors import UserError
from selfsight.evaluation.linear import stratified_mask
from selfsight.evaluation.supervision import VIEWS, Classifier, Course, blank, probed
from selfsight.evaluation.tuning import (
    LOOKS,
    RATES,
    TRIED,
    Tick,
    Trial,
    last_of,
    race_steps,
    raced,
    watched,
)
from selfsight.nets.encoder import Encoder

VIEWS_PER_LABEL = 400  # for one label; falls with the cube root of their number
BATCHES = (32, 256)  # least and most
HELD_BACK = 0.2
MOST_HELD_BACK = 1_000
KEPT = 0.05  # where so little was held back, the winner is not trained anew with all labels


@dataclass(frozen=True, slots=True)
class Manner:
    """How a network begins, and how it moves.

    start: from encoder and images to a classifier. counts: whether the start may be the result.
    lowest: the rate at the layer that sees the pixels, as a share of the classifier's.
    """

    start: Callable[..., Classifier]
    counts: bool
    lowest: float


FINE_TUNING = Manner(probed, counts=True, lowest=0.1)  # of a pretrained encoder
FROM_SCRATCH = Manner(blank, counts=False, lowest=1.0)  # of a fresh one


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A classifier fitted to images with labels, and how that went."""

    classifier: Classifier
    rate: float
    views: str
    batch: int
    planned: int  # steps of the whole schedule
    steps: int  # after which it stopped; 0: the linear probe was best
    held_back: int  # images that chose
    trials: tuple[Trial, ...]

    def predict(self, images: ImageSet) -> Int64[np.ndarray, "images"]:
        """Return the class of every image."""
        return self.classifier.predict(images)


def finetune(
    encoder: Encoder,
    images: ImageSet,
    *,
    seed: int,
    manner: Manner = FINE_TUNING,
    frozen: int = 0,
    effort: float = 1.0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Callable[[str, int, int], None] = quiet,
) -> Finetuned:
    """Return a copy of the encoder, all of it trained on the images' labels, with a classifier.

    manner: FINE_TUNING for a pretrained encoder, FROM_SCRATCH for a fresh one. frozen: layers
    (`layers_of`) that stay as they are, counted from the pixels; fine-tuning with all of them
    frozen gives the linear probe. effort: times the steps. precision: "fp32" or "bf16".
    `progress("training with labels", done, total)` counts views. Images without a label are left
    out. Raises UserError for fewer than two classes.
    """
    images = images.part(np.flatnonzero(images.labels.index >= 0))
    if len(np.unique(images.labels.index)) < 2:
        raise UserError("training with labels needs two or more classes")
    course = _first_course(
        encoder,
        images,
        effort=effort,
        lowest=manner.lowest,
        frozen=frozen,
        precision=precision,
        seed=seed,
    )
    share = min(HELD_BACK, MOST_HELD_BACK / len(images))
    labels, rng = images.labels.index, np.random.default_rng(seed)
    held_back = stratified_mask(labels, share, rng, smallest=2)
    tick = _counter(course, held_back, progress)
    encoder = deepcopy(encoder).to(device)
    if not held_back.any():
        start = manner.start(encoder, images, seed=seed, device=device)
        last = last_of(start, images, course=course, tick=tick)
        return _result(last, course, stop=course.steps, held_back=0, trials=())
    part, judges = images.part(np.flatnonzero(~held_back)), images.part(np.flatnonzero(held_back))
    start = manner.start(encoder, part, seed=seed, device=device)
    course, trials = raced(start, part, judges, course=course, tick=tick)
    best, stop, accuracy = watched(
        start, part, judges, course=course, counts=manner.counts, tick=tick
    )
    trials += (Trial(course.rate, course.views, stop, accuracy),)
    if held_back.mean() > KEPT or stop == 0:
        start = manner.start(encoder, images, seed=seed, device=device)
        best = last_of(start, images, course=replace(course, steps=stop), tick=tick)
    return _result(best, course, stop=stop, held_back=int(held_back.sum()), trials=trials)


def budget(labels: int, *, effort: float) -> tuple[int, int]:
    """Return the images of a batch and the number of batches for so many labels."""
    smallest, largest = BATCHES
    batch = int(np.clip(2 ** round(np.log2(labels / 8)), smallest, largest))
    views = effort * VIEWS_PER_LABEL * labels ** (2 / 3)
    return batch, max(LOOKS, round(views / batch))


def views_in_all(labels: Int64[np.ndarray, "images"], *, effort: float) -> int:
    """Return about how many views a whole `finetune` with these labels takes."""
    batch, steps = budget(len(labels), effort=effort)
    if np.bincount(labels).max() < 2:  # nothing to choose with
        return batch * steps
    runs = 1 if MOST_HELD_BACK / len(labels) <= KEPT else 2
    return batch * (runs * steps + TRIED * race_steps(steps=steps, batch=batch))


def _first_course(
    encoder: Encoder,
    images: ImageSet,
    *,
    effort: float,
    lowest: float,
    frozen: int,
    precision: str,
    seed: int,
) -> Course:
    batch, steps = budget(len(images), effort=effort)
    return Course(
        steps=steps,
        batch=batch,
        rate=RATES[0],
        views=VIEWS[0],
        size=encoder.image_size,
        lowest=lowest,
        frozen=frozen,
        precision=precision,
        seed=seed,
    )


def _counter(
    course: Course,
    held_back: Bool[np.ndarray, "images"],
    progress: Callable[[str, int, int], None],
) -> Tick:
    """Return what is called after every step and tells how much of everything is done."""
    races = TRIED if held_back.any() else 0
    runs = 2 if held_back.mean() > KEPT else 1
    total = races * race_steps(steps=course.steps, batch=course.batch) + runs * course.steps
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("training with labels", done * course.batch, total * course.batch)

    return tick


def _result(
    found: Classifier, course: Course, *, stop: int, held_back: int, trials: tuple[Trial, ...]
) -> Finetuned:
    return Finetuned(
        found, course.rate, course.views, course.batch, course.steps, stop, held_back, trials
    )
