"""How training with labels is tuned, on training labels that are held back from it.

Three rates race with crops and flips, each through a schedule of a fifth of the steps (at most
20,000 views); then the best rate with crops only and with colours too. The winner goes through the
whole schedule and is judged at eight places; the most accurate, of equals the last, is where
training stops. Fine-tuning is judged before its first step too: there it is the linear probe, which
stays if nothing exceeds it (of equals by the loss). A network from scratch is nothing there.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

from selfsight.data.images import ImageSet
from selfsight.evaluation.supervision import VIEWS, Classifier, Course, trained

RATES = (1e-3, 2e-4, 5e-3)  # of AdamW, at the classifier; the first is the default
RACE = 0.2  # share of the steps
MOST_RACED = 20_000  # views of a setting
LOOKS = 8
TRIED = len(RATES) + len(VIEWS) - 1  # settings in the race

NOTHING = (-1.0, 0.0)  # accuracy and minus the loss that any classifier exceeds
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that was tried, and its accuracy on the labels held back."""

    rate: float
    views: str
    steps: int
    accuracy: float


def raced(
    start: Classifier, part: ImageSet, judges: ImageSet, *, course: Course, tick: Tick
) -> tuple[Course, tuple[Trial, ...]]:
    """Return the course with the rate and the views that did best in a short schedule."""
    trials: list[tuple[tuple[float, float], Trial]] = []
    steps = race_steps(steps=course.steps, batch=course.batch)

    def race(rate: float, views: str) -> None:
        short = replace(course, rate=rate, views=views, steps=steps)
        judged = last_of(start, part, course=short, tick=tick).judged(judges)
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


def watched(
    start: Classifier,
    part: ImageSet,
    judges: ImageSet,
    *,
    course: Course,
    counts: bool,
    tick: Tick,
) -> tuple[Classifier, int, float]:
    """Return the best classifier of a schedule, after how many steps it was, and its accuracy.

    counts: whether the start is one of them.
    """
    places = {round(course.steps * look / LOOKS) for look in range(1, LOOKS + 1)}
    best, stop, score = start, 0, start.judged(judges) if counts else NOTHING
    for done, classifier in trained(start, part, course=course):
        tick()
        if done not in places:
            continue
        judged = classifier.judged(judges)
        # Few images tie often: then longer training is trusted, but not one that only did harm.
        if judged > score or (judged[0] == score[0] and stop > 0):
            best, stop, score = deepcopy(classifier), done, judged
    return best, stop, score[0]


def last_of(start: Classifier, images: ImageSet, *, course: Course, tick: Tick) -> Classifier:
    """Return what a course makes of `start`; `tick` is called after every step."""
    last = start
    for _, classifier in trained(start, images, course=course):
        tick()
        last = classifier
    return last


def race_steps(*, steps: int, batch: int) -> int:
    """Return the steps of the short schedule in which settings race."""
    return max(1, min(round(RACE * steps), MOST_RACED // batch))
