"""Presets: settings that go together for a purpose, chosen aloud.

What was measured before `laptop` became one is in `docs/benchmarks.md`. A setting that is given
stays as it is, but for a time that is not needed. The settings that a run saves are those that were
chosen, so it repeats like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from selfsight.assemble import for_steps
from selfsight.gather import world_size
from selfsight.settings import Settings

MINUTES = 10.0  # that `auto` reckons with where no budget is given
ENOUGH = 100.0  # passes from which learning all layers may be ahead: a guess, but 46 are too few
LARGEST = 64  # px; `patchnet` reads at 32
REPLACED = ("minutes",)  # settings that a preset may replace even where they are given
SPEED = 120.0  # images a second that a thread trains at 32 px with the default encoder, about


def chosen(
    settings: Settings,
    own: Mapping[str, object],
    *,
    images: Callable[[], int],
    device: str,
    agreed: Callable[[float], float],
    say: Callable[[str], None],
) -> Settings:
    """Return the settings with those of their preset, each said aloud with the reason.

    own: the method's settings that were given. images: counts those that are trained on; asked by
    `auto` only. device: "cpu" or an accelerator's name. agreed: makes of each process's number one
    for all. The threads must be known.
    """
    preset: str = settings.preset
    if preset == "auto":
        preset, reason = _fitting(settings, own, images=images, device=device, agreed=agreed)
        say(f"preset = {preset}: {reason}")
    return _with_laptop(settings, say=say) if preset == "laptop" else settings


def within_minutes(settings: Settings, *, spent: float, say: Callable[[str], None]) -> Settings:
    """Return settings without steps, said aloud, where the beginning takes all the minutes.

    spent: seconds that it takes.
    """
    if settings.minutes is None or spent < 60 * settings.minutes:
        return settings
    say(
        f"steps = 0: what {settings.encoder} begins with takes all of the {settings.minutes:g} "
        "min, so no gradient step is taken"
    )
    return replace(settings, minutes=None, steps=0)


def _with_laptop(settings: Settings, *, say: Callable[[str], None]) -> Settings:
    if settings.encoder not in ("auto", "patchnet"):
        say(f"preset = laptop changes nothing: its encoder is patchnet, not {settings.encoder}")
        return settings
    say(
        "encoder = patchnet: k-means patches and a linear layer in closed form; in minutes of a "
        "processor, networks that learn all layers stay far below it (docs/benchmarks.md)"
    )
    if settings.size > LARGEST:
        say(
            f"patchnet reads images at 32 px: it takes longer with size = {settings.size} and "
            "hardly sees more"
        )
    settings = replace(settings, encoder="patchnet")
    if settings.epochs is None and settings.steps is None:
        instead = f" instead of minutes = {settings.minutes:g}" if settings.minutes else ""
        say(
            f"steps = 0{instead}: patchnet is found without gradient steps; minutes of them left "
            "its probe where it was and made its neighbours worse; --steps or --epochs take them"
        )
        settings = replace(settings, minutes=None, steps=0)
    return settings


def _fitting(
    settings: Settings,
    own: Mapping[str, object],
    *,
    images: Callable[[], int],
    device: str,
    agreed: Callable[[float], float],
) -> tuple[str, str]:
    """Return the preset for a situation, or "none", and why."""
    if settings.encoder != "auto":
        return "none", f"the encoder is given, {settings.encoder}"
    taught = for_steps(settings)
    if settings.epochs is not None or settings.steps is not None:
        taught = [name for name in taught if name == "method"]  # the others serve patchnet's steps
    if idle := [*taught, *own]:
        return "none", f"{idle[0]} is given, which a network that learns in steps uses"
    if device != "cpu":
        return "none", f"the defaults, because nothing else was measured on {device}"
    if settings.size > LARGEST:
        return "none", (
            f"the defaults, because patchnet reads images at 32 px and these have {settings.size}"
        )
    count = images()
    passes = agreed(_passes(settings, images=count))
    budget = "the budget"
    if settings.epochs is settings.steps is settings.minutes is None:
        budget = f"no budget is given, and one of {MINUTES:g} minutes"
    about = f"{budget} has time for about {passes:.2g} passes over {count:,} images"
    if passes < ENOUGH:
        return "laptop", f"{about}, too few for a network that learns all its layers"
    return "none", f"the defaults, because {about}"


def _passes(settings: Settings, *, images: int) -> float:
    """Return how often the default encoder would see each image, by a rule of thumb."""
    if settings.epochs is not None:
        return settings.epochs
    if settings.steps is not None:
        return settings.steps * settings.batch * settings.accumulate / images
    assert settings.threads != "auto"
    speed = SPEED * settings.threads * world_size() * (32 / settings.size) ** 2
    return (settings.minutes or MINUTES) * 60 * speed / images
