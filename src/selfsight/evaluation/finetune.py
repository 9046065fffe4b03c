"""Fine-tuning with labels and, by the same function on a fresh encoder, training from scratch.

How long: 400 n^(2/3) views for n labels (10 labels: 1,900; 1,000: 40,000; 50,000: 543,000), times
the `effort`, in batches of about n / 8 images, from 32 to 256. A batch larger than n holds several
views of an image.

How it is tuned, on training labels alone: a fifth of every class (at most 1,000 images, and no
class's only image) is held back. Three rates race with crops and flips, each through a schedule of
a fifth of the steps; then the best rate with crops only and with colours too. The winner goes
through the whole schedule and is judged on the held-back images at eight places and before the
first step; the best place is where training stops. Then everything is done once more with all
labels up to that place, unless less than a twentieth had been held back. Where nothing can be held
back, the default setting goes through the whole schedule.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from selfsight.data.images import ImageSet, quiet
from selfsight.errors import UserError
from selfsight.evaluation.linear import stratified_mask
from selfsight.evaluation.supervision import VIEWS, Classifier, Course, blank, probed, trained
from selfsight.nets.encoder import Encoder

Tick = Callable[[], None]

RATES = (1e-3, 2e-4, 5e-3)  # of AdamW, at the classifier; the first is the default
VIEWS_PER_LABEL = 400  # for one label; falls with the cube root of their number
BATCHES = (32, 256)  # least and most
RACE = 0.2  # share of the steps
LOOKS = 8
HELD_BACK = 0.2
MOST_HELD_BACK = 1_000
KEPT = 0.05  # where so little was held back, the winner is not trained anew with all labels


@dataclass(frozen=True, slots=True)
class Manner:
    """How the network stands at the start. lowest: rate at the layer that sees the pixels."""

    lowest: float  # as a share of the classifier's
    start: Callable[..., Classifier]


FINE_TUNING = Manner(0.1, probed)  # of a pretrained encoder
FROM_SCRATCH = Manner(1.0, blank)  # of a fresh one


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that was tried, and its accuracy on the labels held back."""

    rate: float
    views: str
    steps: int
    accuracy: float


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
        last = _last(start, images, course=course, tick=tick)
        return _result(last, course, stop=course.steps, held_back=0, trials=())
    part, judges = images.part(np.flatnonzero(~held_back)), images.part(np.flatnonzero(held_back))
    start = manner.start(encoder, part, seed=seed, device=device)
    course, trials = _raced(start, part, judges, course=course, tick=tick)
    best, stop, accuracy = _watched(start, part, judges, course=course, tick=tick)
    trials += (Trial(course.rate, course.views, stop, accuracy),)
    if held_back.mean() > KEPT:
        start = manner.start(encoder, images, seed=seed, device=device)
        best = _last(start, images, course=replace(course, steps=stop), tick=tick)
    return _result(best, course, stop=stop, held_back=int(held_back.sum()), trials=trials)


def budget(labels: int, *, effort: float) -> tuple[int, int]:
    """Return the images of a batch and the number of batches for so many labels."""
    smallest, largest = BATCHES
    batch = int(np.clip(2 ** round(np.log2(labels / 8)), smallest, largest))
    views = effort * VIEWS_PER_LABEL * labels ** (2 / 3)
    return batch, max(LOOKS, round(views / batch))


def views_in_all(labels: int, *, effort: float) -> int:
    """Return about how many views a whole `finetune` with so many labels takes."""
    batch, steps = budget(labels, effort=effort)
    runs = 1 if MOST_HELD_BACK / labels <= KEPT else 2
    return round(batch * steps * (runs + RACE * (len(RATES) + len(VIEWS) - 1)))


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


def _raced(
    start: Classifier, part: ImageSet, judges: ImageSet, *, course: Course, tick: Tick
) -> tuple[Course, tuple[Trial, ...]]:
    """Return the course with the rate and the views that did best in a short schedule."""
    trials: list[tuple[tuple[float, float], Trial]] = []

    def race(rate: float, views: str) -> None:
        short = replace(course, rate=rate, views=views, steps=_race_steps(course))
        last = _last(start, part, course=short, tick=tick)
        judged = last.judged(judges)
        trials.append((judged, Trial(rate, views, short.steps, judged[0])))

    for rate in RATES:
        race(rate, course.views)
    best_rate = _best(trials).rate
    for views in VIEWS[1:]:
        race(best_rate, views)
    best = _best(trials)
    found = replace(course, rate=best.rate, views=best.views)
    return found, tuple(trial for _, trial in trials)


def _best(trials: list[tuple[tuple[float, float], Trial]]) -> Trial:
    """Return the most accurate trial; of equals that of the lowest loss, then the first."""
    return max(trials, key=lambda pair: pair[0])[1]


def _watched(
    start: Classifier, part: ImageSet, judges: ImageSet, *, course: Course, tick: Tick
) -> tuple[Classifier, int, float]:
    """Return the best classifier of a schedule, after how many steps it was, and its accuracy."""
    places = {round(course.steps * look / LOOKS) for look in range(1, LOOKS + 1)}
    best, stop, score = start, 0, start.judged(judges)[0]
    for done, classifier in trained(start, part, course=course):
        tick()
        if done in places and (accuracy := classifier.judged(judges)[0]) >= score:
            best, stop, score = deepcopy(classifier), done, accuracy
    return best, stop, score


def _last(start: Classifier, images: ImageSet, *, course: Course, tick: Tick) -> Classifier:
    """Return what a course makes of `start`."""
    last = start
    for _, classifier in trained(start, images, course=course):
        tick()
        last = classifier
    return last


def _race_steps(course: Course) -> int:
    return max(1, round(RACE * course.steps))


def _counter(
    course: Course,
    held_back: Bool[np.ndarray, "images"],
    progress: Callable[[str, int, int], None],
) -> Tick:
    """Return what is called after every step and tells how much of everything is done."""
    races = len(RATES) + len(VIEWS) - 1 if held_back.any() else 0
    runs = 2 if held_back.mean() > KEPT else 1
    total = races * _race_steps(course) + runs * course.steps
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
