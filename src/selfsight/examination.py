"""What `selfsight diagnose` asks of an encoder, and with what: its twin, pixels, a run's views."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import torch

from selfsight import methods
from selfsight.assemble import build_method
from selfsight.beginning import pair
from selfsight.data.images import ImageSet
from selfsight.diagnosis import asking
from selfsight.diagnosis.asking import Subject
from selfsight.diagnosis.finding import Finding
from selfsight.diagnosis.frozen import collapse_finding
from selfsight.diagnosis.quality import quality
from selfsight.diagnosis.sampling import check_enough, samples_of
from selfsight.errors import UserError, suggest
from selfsight.evaluation.embed import Encode, encoder_function
from selfsight.evaluation.pixels import pixel_features
from selfsight.learners import Learning, self_supervised, supervised
from selfsight.measure import untrained
from selfsight.nets.encoder import Encoder
from selfsight.run import Run
from selfsight.views.presets import EachOf, simclr, two_views

PIXELS = 16  # px: 768 numbers, a width of the order of an encoder's
TWIN_BATCH = 128
TESTS = ("collapse", "quality", "planted_cues", "nuisances", "stress", "views", "twins")

Keep = Callable[[str, Callable[[], Finding]], Finding]


@dataclass(frozen=True, slots=True)
class Examination:
    """What to ask about an encoder.

    run: where the encoder comes from, None for a file or an object. tests: names of TESTS.
    twin_steps: of each of the two trainings, if twins are among the tests.
    """

    encoder: Encoder
    run: Run | None
    images: ImageSet
    tests: tuple[str, ...]
    twin_steps: int
    seed: int
    progress: Callable[[str, int, int], None]

    def findings(self, keep: Keep) -> list[Finding]:
        """Return a finding for each test, in the order of TESTS.

        keep: returns the finding of a test, made now if it is not kept from before.
        """
        check_enough(self.images)
        views = self._views()
        device = str(self.encoder.mean.device)
        encoders: dict[str, Encode] = {
            "encoder": encoder_function(self.encoder, device),
            "untrained": encoder_function(untrained(self.encoder, seed=self.seed), device),
        }
        samples = partial(
            samples_of,
            encoders | {"pixels": partial(pixel_features, side=PIXELS)},
            self.images,
            make_views=views,
            seed=self.seed,
            progress=self.progress,
        )
        subject = Subject(
            encoders=encoders,
            samples=cache(samples),
            images=self.images,
            augmentations=views.augmentations,
            learners=self._learners() if "twins" in self.tests else {},
            seed=self.seed,
            progress=self.progress,
        )
        answer: dict[str, Callable[[Subject], Finding]] = {
            "collapse": self._collapse,
            "quality": self._quality,
            "planted_cues": asking.planted_cues,
            "nuisances": asking.nuisances,
            "stress": asking.stressed,
            "views": asking.views,
            "twins": asking.twins,
        }
        return [keep(name, partial(answer[name], subject)) for name in TESTS if name in self.tests]

    def _collapse(self, subject: Subject) -> Finding:
        verdict = self.run.evidence.get("verdict", {}) if self.run else {}
        said = str(verdict["sentence"]) if verdict.get("word") == "collapsed" else ""
        samples = subject.samples()
        features = [samples[name].features for name in ("encoder", "untrained")]
        return collapse_finding(*features, trained=said)

    def _quality(self, subject: Subject) -> Finding:
        whose = "SimCLR's, the default without a run"
        if self.run:
            whose = f"those of the run's method, {self.run.settings.method}"
            if self.run.settings.steps == 0:
                whose = f"those that {self.run.settings.encoder} was found from"
        return quality(subject.samples(), views=whose, seed=self.seed, progress=self.progress)

    def _views(self) -> EachOf:
        """Return what makes the views of the run's method, or SimCLR's where there is no run."""
        if self.run is None:
            return two_views(simclr(self.encoder.image_size))
        if self.run.settings.steps == 0:
            return pair(self.encoder.image_size)
        with torch.random.fork_rng(devices=[]):
            method = build_method(
                methods.find(self.run.settings.method),
                dict(self.run.method_settings),
                settings=self.run.settings,
                mean=self.encoder.mean.tolist(),
                std=self.encoder.std.tolist(),
            )
        assert isinstance(method.views, EachOf)
        return method.views

    def _learners(self) -> dict[str, Callable[[ImageSet, int], Encode]]:
        run = self.run
        steps = 0 if run and run.settings.steps == 0 else self.twin_steps
        learning = Learning(
            like=self.encoder,
            method=run.settings.method if run else "simclr",
            method_settings=run.method_settings if run else {},
            steps=self.twin_steps,
            batch=min(TWIN_BATCH, run.settings.batch) if run else TWIN_BATCH,
            progress=self.progress,
        )
        return {
            "with labels": partial(supervised, learning),
            "without labels": partial(self_supervised, replace(learning, steps=steps)),
            "untrained": lambda _, seed: encoder_function(
                untrained(self.encoder, seed=seed), str(self.encoder.mean.device)
            ),
        }


def chosen_tests(tests: str, *, twin: bool) -> tuple[str, ...]:
    """Return the tests that `all`, or names with commas between them, mean.

    Twins train two networks, so that `all` leaves them out unless `twin` asks for them. Raises
    UserError for an unknown name.
    """
    names = {name.strip() for name in tests.split(",") if name.strip()}
    if "all" in names:
        names = names - {"all"} | set(TESTS) - {"twins"}
    for name in names:
        if name not in TESTS:
            raise UserError(
                f"no test {name!r}{suggest(name, list(TESTS))}; there are: all, {', '.join(TESTS)}"
            )
    if not names and not twin:
        raise UserError(f"no test is named; there are: all, {', '.join(TESTS)}")
    return tuple(name for name in TESTS if name in names or (twin and name == "twins"))


def run_of(encoder: str | Path | Encoder) -> Run | None:
    """Return the run that an encoder is named by, or None."""
    if isinstance(encoder, (str, Path)) and Path(encoder).is_dir():
        return Run.open(Path(encoder))
    return None
