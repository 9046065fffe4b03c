"""Do the shortcut tests raise false alarms, and do they find what is there?

    python bench/shortcuts.py [--repetitions 100] [--only planted,nuisance,…] [--jobs 1]

Each repetition makes new small images (16 px, four forms in colours of their own on coloured
noise), splits them anew and runs a whole family of tests, correction for its size included:

clean   nothing is planted, leaks or is destroyed; an alarm is any alarm of the family. The stated
        rate is 5 % of repetitions.
found   a cue (leak, telltale background, destructive operation) of the strength that the table
        names is there; what counts is the alarm for that one.

Planted cues are looked for in an encoder that lives off them (`shortcut_eyes`), as a test can only
find reliance where there is some. The view audit reads with `eyes`, which see form and colour,
instead of training a network every time; the rest comes from a few random filters.
Intervals are Clopper and Pearson's, 95 %. The rates are those of the tests, not of an encoder.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from scipy.stats import beta
from torch.nn import functional

from selfsight.data.images import ImageSet, Labels
from selfsight.diagnosis.shortcuts.audit import audit_views
from selfsight.diagnosis.shortcuts.beyond import UNTRAINED, beyond_untrained
from selfsight.diagnosis.shortcuts.cues import PLANTS, Cue
from selfsight.diagnosis.shortcuts.identity import nearer
from selfsight.diagnosis.shortcuts.nuisance import Labelled, measure_nuisances
from selfsight.diagnosis.shortcuts.nuisance_finding import leaks
from selfsight.diagnosis.shortcuts.permutation import LEVEL, sign_flip
from selfsight.diagnosis.shortcuts.planted import corrected, measure_cues
from selfsight.diagnosis.shortcuts.shown import shown
from selfsight.diagnosis.shortcuts.stress import Stressed, measure_stress
from selfsight.diagnosis.shortcuts.stress_finding import background_tells, sure_falls
from selfsight.diagnosis.shortcuts.ties import to_nothing
from selfsight.diagnosis.shortcuts.traits import Trait
from selfsight.diagnosis.shortcuts.twin import measure_twins
from selfsight.diagnosis.shortcuts.versions import VERSIONS
from selfsight.evaluation.seeds import holm
from selfsight.views.augmentation import Augmentation
from selfsight.views.colour import LUMA

SIDE, CLASSES = 16, 4
FORMS = ("disc", "frame", "upright", "level")
TRAIN, TEST = 150, 150
MARKED = 300  # images to train on, and to test on, where cues are planted
STRENGTHS = {
    "corner mark": 1.0,
    "tint": 1.0,
    "border": 0.5,
    "JPEG quality": 1.0,
    "sensor noise": 1.0,
    "chromatic shift": 1.0,
}
AGREEMENT = 0.5  # of a leak with the class, where chance is 1/4
BACKGROUND = 0.8  # of a background with the class
NUISANCES = 13

Outcome = Mapping[str, bool]  # what a trial looked for, and whether it raised an alarm


def forms(seed: int, *, images: int, background: float = 0.0, colour: bool = False) -> ImageSet:
    """Return made-up images of four forms.

    background: the share of images whose noise has a hue that stands for the class. colour: the
    class is the hue of the form, and the form is drawn by chance.
    """
    rng = np.random.default_rng((seed, 77))
    label = rng.integers(CLASSES, size=images)
    form = rng.integers(CLASSES, size=images) if colour else label
    hue = (label + 0.1 * rng.random(images)) / CLASSES if colour else rng.random(images)
    behind = np.where(rng.random(images) < background, label / CLASSES, rng.random(images))
    at = (np.arange(SIDE) - (SIDE - 1) / 2)[None] + rng.uniform(-1, 1, (2, images, 1))
    down, right = np.abs(at[0])[:, :, None], np.abs(at[1])[:, None, :]
    radius = np.hypot(down, right)
    masks = np.stack(
        [
            radius < 4,
            (np.maximum(down, right) < 4) & (np.maximum(down, right) > 2),
            (right < 1.5) & (down < 4),
            (down < 1.5) & (right < 4),
        ]
    )[form, np.arange(images)]
    noise = rng.normal(0, 12, (images, 3, SIDE, SIDE))
    canvas = 110 + 30 * _hues(behind) + noise
    colours = 90 * _hues(hue)
    colours -= np.tensordot(colours, LUMA, axes=(1, 0))[:, None]  # all equally bright
    drawn = 150 + colours
    pixels = np.where(masks[:, None], drawn + noise, canvas).clip(0, 255).round().astype(np.uint8)
    paths = tuple(f"forms/{number:04d}" for number in range(images))
    return ImageSet(pixels, paths, Labels(FORMS, label.astype(np.int64)), (), "forms")


def filters(pixels: np.ndarray, *, seed: int = 0, grey: bool = False) -> np.ndarray:
    """Return 64 features: means and maxima, by quarter, of 8 random filters' answers."""
    images = torch.tensor(pixels, dtype=torch.float32) / 255 - 0.5
    if grey:
        images = images.mean(1, keepdim=True).expand_as(images)
    weights = torch.from_numpy(np.random.default_rng((seed, 5)).normal(0, 0.3, (8, 3, 3, 3)))
    answers = functional.relu(functional.conv2d(images, weights.float(), padding=1))
    pooled = [
        functional.adaptive_avg_pool2d(answers, 2),
        functional.adaptive_max_pool2d(answers, 2),
    ]
    return torch.cat(pooled, 1).flatten(1).numpy()


def shortcut_eyes(pixels: np.ndarray) -> np.ndarray:
    """Return 27 features, of an encoder that lives off shortcuts.

    The corner, the edge's colour against the whole's, the mean colour, fine structure by quarter,
    and colour fringes along outward edges.
    """
    images = torch.tensor(pixels, dtype=torch.float32) / 255
    mean = images.mean((2, 3))
    edge = torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0]], 2).mean(2)
    fine = images - functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    quarters = functional.adaptive_avg_pool2d(fine.abs().mean(1, keepdim=True), 2).flatten(1)
    shown_cues = [
        images[:, :, :4, :4].mean(1).flatten(1) - 0.5,
        4 * (edge - mean),
        10 * (mean - mean.mean(1, keepdim=True)),
        quarters.log(),
        20 * _fringes(images),
    ]
    return torch.cat(shown_cues, 1).numpy()


def _fringes(images: torch.Tensor) -> torch.Tensor:
    """Return how far red lies outwards of green, less how far blue does, as a share of the radius.

    A channel that is green, scaled and magnified, is a + b (green - m x outward slope of green).
    """
    at = torch.arange(SIDE) - (SIDE - 1) / 2
    down, right = torch.gradient(images[:, 1], dim=(1, 2))
    outwards = down * at[:, None] + right * at
    known = torch.stack([torch.ones_like(outwards), images[:, 1], outwards], 3).flatten(1, 2)
    products = known.mT @ known + 1e-3 * torch.eye(3)
    found = torch.linalg.solve(products, known.mT @ images[:, ::2].flatten(2).mT)
    shares = (-found[:, 2] / found[:, 1]).clamp(-0.3, 0.3)
    return shares[:, :1] - shares[:, 1:]


def eyes(pixels: np.ndarray) -> np.ndarray:
    """Return the mean colour, and where pixels stand out whatever their colour: 3 + 64 features."""
    images = pixels.astype(np.float32) / 255
    centred = (images - images.mean(axis=(2, 3), keepdims=True)).reshape(len(images), 3, -1)
    axes = np.linalg.eigh(centred @ centred.transpose(0, 2, 1))[1][:, :, -1]  # of most variance
    along = np.abs(np.einsum("ncp,nc->np", centred, axes))
    along = along / along.mean(axis=1, keepdims=True)
    places = along.reshape(-1, 8, SIDE // 8, 8, SIDE // 8).mean(axis=(2, 4)).reshape(-1, 64)
    return np.concatenate([images[:, :, 6:10, 6:10].mean(axis=(2, 3)), places], axis=1)


def planted(seed: int, *, there: bool, names: Sequence[str] = tuple(PLANTS)) -> Outcome:
    """Some cues: are they read, and do answers follow them?"""
    train, test = _parts(forms(seed, images=2 * MARKED if there else TRAIN + TEST))
    cues = [Cue(name, CLASSES, STRENGTHS[name] if there else 0.0, seed=seed) for name in names]
    tests = measure_cues(
        {"eyes": shortcut_eyes}, cues, train=train, test=test, reader=None, seed=1000 * seed
    )
    found = {}
    for name, p in corrected(tests, "eyes").items():
        found[f"presence: {name}"] = p.presence <= LEVEL
        found[f"reliance: {name}"] = (p.reliance or 0.0) <= LEVEL
    return found


def identities(seed: int, *, there: bool) -> Outcome:
    """Does a cue stand for the image: drawn anew in its other view, twice, or (there) its own?

    Cues have their full strength both times; where they are drawn twice nothing is to be found.
    """
    _, test = _parts(forms(seed, images=2 * MARKED))
    p_values = []
    for name in PLANTS:
        cue = Cue(name, CLASSES, STRENGTHS[name], seed=seed)
        own, *drawn = (to_nothing(len(test), kinds=2, seed=3 * seed + place) for place in range(3))
        others = (own, 1 - own) if there else drawn
        one, other = nearer(shortcut_eyes, cue, test, own, others=others, seed=1000 * seed)
        p_values.append(sign_flip(one - other, seed=seed))
    raised = holm(p_values)
    return {f"identity: {name}": p <= LEVEL for name, p in zip(PLANTS, raised, strict=True)}


def beyond(seed: int, *, there: bool) -> Outcome:
    """Is a cue followed more than from the untrained encoder: two draws alike, or a blind one?

    Both follow the tint, which agrees with every label; each has random filters of its own, so that
    this also tells how far two untrained encoders differ. Or (there) the untrained one is blind.
    """
    train, test = _parts(forms(seed, images=2 * MARKED))
    tests = measure_cues(
        {
            "filters": partial(filters, seed=seed),
            UNTRAINED: partial(filters, seed=seed + 500, grey=there),
        },
        [Cue("tint", CLASSES, STRENGTHS["tint"], seed=seed)],
        train=train,
        test=test,
        reader=None,
        seed=1000 * seed,
    )
    return {"beyond: tint": beyond_untrained(tests, seed=seed)["tint"].sure}


def nuisance(seed: int, *, there: bool) -> Outcome:
    """Thirteen traits (six, three of them telling): what tells the class, what do features tell?"""
    images = forms(seed, images=TRAIN + TEST)
    rng = np.random.default_rng((seed, 88))
    labels, count = images.labels.index, TRAIN + TEST
    traits = [
        Trait(f"trait {place}", rng.gamma(2.0, size=count), "file")
        for place in range(6 if there else NUISANCES)
    ]
    if there:
        leaking = rng.random(count) < AGREEMENT
        width = np.where(leaking, labels, rng.integers(CLASSES, size=count))
        traits[0] = Trait("width", 200.0 + 20 * width + rng.integers(0, 15, count), "file")
        mode = np.where((labels == 0) & (rng.random(count) < AGREEMENT), "L", "RGB")
        traits[1] = Trait("mode", tuple(mode.tolist()), "file")
        traits[2] = Trait("brightness", images.pixels[:].mean(axis=(1, 2, 3)), "pixels")
    features = shown(filters, images, what="")
    found = measure_nuisances(
        traits,
        features,
        shown(partial(filters, seed=1), images, what=""),
        labels=Labelled(labels, FORMS),
        training=np.arange(TRAIN),
        test=np.arange(TRAIN, count),
        seed=seed,
    )
    leaking_names = {one.trait.name for one in leaks(found)}
    shown_names = {one.trait.name for one in found if one.shown and one.shown.p <= LEVEL}
    if there:
        return {
            "leak: width": "width" in leaking_names,
            "leak: mode": "mode" in leaking_names,
            "shown: brightness": "brightness" in shown_names,
        }
    names = [trait.name for trait in traits]
    return {f"leak: {name}": name in leaking_names for name in names} | {
        f"shown: {name}": name in shown_names for name in names
    }


def stress(seed: int, *, there: bool) -> Outcome:
    """Does the background alone tell the class, and does taking something away cost accuracy?

    Where nothing is there, falls are asked of labels that were shuffled: whatever is taken away,
    nothing can be lost. Where it is, the class is the form's colour, and grey has to cost.
    """

    def measured(images: ImageSet) -> list[Stressed]:
        train, test = _parts(images)
        return measure_stress({"filters": filters}, train=train, test=test, seed=seed)

    images = forms(seed, images=TRAIN + TEST, background=BACKGROUND if there else 0.0)
    tells = {"background: tells": background_tells(measured(images))[0]}
    if there:
        coloured = measured(forms(seed, images=TRAIN + TEST, colour=True))
        return tells | {"fall: grey": "grey" in {one.version for one in sure_falls(coloured)}}
    drawn = np.random.default_rng((seed, 99)).permutation(images.labels.index)
    shuffled = measured(replace(images, labels=Labels(FORMS, drawn)))
    falling = {one.version for one in sure_falls(shuffled)}
    return tells | {f"fall: {version}": version in falling for version in VERSIONS}


def audit(seed: int, *, there: bool) -> Outcome:
    """Which operation of the views destroys the label: form, or (there) colour."""
    train, test = _parts(forms(seed, images=TRAIN + TEST, colour=there))
    view = Augmentation(
        SIDE,
        area=(0.6, 1.0),
        jitter=1.0,
        hue=0.5,
        grey=0.2,
    )
    found = audit_views(lambda *_: eyes, [view], train=train, test=test, seed=seed)
    alarms = {one.name for one in found.operations if one.alarm}
    if there:
        return {"audit: colour jitter": "colour jitter" in alarms}
    return {f"audit: {one.name}": one.name in alarms for one in found.operations}


def twin(seed: int, *, there: bool) -> Outcome:
    """Two ways of learning: alike, or (there) one of them blind to the tint."""
    train, test = _parts(forms(seed, images=TRAIN + TEST))
    found = measure_twins(
        {
            "one": lambda _, own: partial(filters, seed=own),
            "other": lambda _, own: partial(filters, seed=own + 500, grey=there),
        },
        Cue("tint", CLASSES, STRENGTHS["tint"]),
        train=train,
        test=test,
        agreement=1.0,
        seeds=tuple(range(10 * seed, 10 * seed + 4)),
    )
    surely = found.difference.low > 0 or found.difference.high < 0
    return {"twins: differ": surely and (not there or found.difference.value > 0)}


TRIALS: dict[str, Callable[..., Outcome]] = {
    "planted": planted,
    "identity": identities,
    "beyond": beyond,
    "nuisance": nuisance,
    "stress": stress,
    "audit": audit,
    "twin": twin,
}


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    name: str
    there: bool
    times: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return Clopper and Pearson's interval, 95 %."""
        low = beta.ppf(0.025, self.times, self.of - self.times + 1) if self.times else 0.0
        high = beta.ppf(0.975, self.times + 1, self.of - self.times) if self.times < self.of else 1
        return float(low), float(high)


def rates(outcomes: list[Outcome], *, there: bool) -> Iterator[Rate]:
    """Yield alarm rates: of whole families on clean data, of each cue where there is one.

    A family is what its p-values are corrected over: what stands before the colon.
    """
    looked_for = list(outcomes[0])
    if not there:
        families = dict.fromkeys(key.partition(":")[0] for key in looked_for)
        for family in families:
            own = [key for key in looked_for if key.partition(":")[0] == family]
            times = sum(any(outcome[key] for key in own) for outcome in outcomes)
            yield Rate(f"{family} ({len(own)} tests)", there, times, len(outcomes))
        return
    for key in looked_for:
        yield Rate(key, there, sum(outcome[key] for outcome in outcomes), len(outcomes))


def run(name: str, seeds: range, *, there: bool, jobs: int = 1) -> list[Rate]:
    """Return the rates of one kind of trial over seeds."""
    trial = partial(TRIALS[name], there=there)
    if jobs == 1:
        return list(rates([trial(seed) for seed in seeds], there=there))
    with ProcessPoolExecutor(jobs) as pool:
        return list(rates(list(pool.map(trial, seeds)), there=there))


def _parts(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    half = len(images) // 2
    return images.part(np.arange(half)), images.part(np.arange(half, len(images)))


def _hues(turns: np.ndarray) -> np.ndarray:
    return np.cos(2 * np.pi * (turns[:, None] - np.arange(3) / 3))[:, :, None, None]


def main() -> None:
    """Run all trials and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--only", default=",".join(TRIALS))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.only.split(","):
        for there in (False, True):
            began = time.process_time()
            found = run(name, range(arguments.repetitions), there=there, jobs=arguments.jobs)
            for rate in found:
                low, high = rate.interval
                print(
                    f"{'found' if there else 'clean':<7}{rate.name:<36}"
                    f"{rate.times:>5} of {rate.of:<5} {low:6.1%} to {high:6.1%}",
                    flush=True,
                )
            print(f"       {name}: {time.process_time() - began:.0f} core-seconds", flush=True)


if __name__ == "__main__":
    main()
