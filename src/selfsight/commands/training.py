"""`selfsight.train`: from a folder of images to a finished run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selfsight.commands.files import apart
from selfsight.errors import UserError
from selfsight.places import placed, vacant
from selfsight.preset import REPLACED
from selfsight.settings import Settings, settings_from

if TYPE_CHECKING:
    from selfsight.run import Run

NO_SETTINGS: Mapping[str, object] = {}


def train(
    images: str | Path,
    *,
    out: str | Path,
    preset: Literal["none", "laptop", "auto"] = "none",
    method: str = "simclr",
    encoder: str = "auto",
    stem: Literal["auto", "small", "standard"] = "auto",
    size: int = 32,
    batch: int = 256,
    epochs: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    accumulate: int = 1,
    chunk: int | None = None,
    labels: str | Path = "auto",
    held_out: str | Path | float = "0.1",
    data: float = 1.0,
    seed: int = 0,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    optimiser: Literal["auto", "adamw", "lars", "sgd"] = "auto",
    lr: float | Literal["auto"] = "auto",
    weight_decay: float | Literal["auto"] = "auto",
    warm_up: float = 0.05,
    device: str = "auto",
    threads: int | Literal["auto"] = "auto",
    cache: str | Path = "auto",
    download: bool = False,
    on_collapse: Literal["warn", "stop"] = "warn",
    looks: int = 10,
    checkpoint_minutes: float = 5.0,
    method_settings: Mapping[str, object] = NO_SETTINGS,
    resume: bool = False,
    quiet: bool = False,
) -> "Run":
    """Train an encoder on a folder of images (or a named set) and measure it.

    Returns the finished run: `run.encoder`, `run.evidence`, `run.verdict`, and its files in `out`.
    The arguments are the fields of `Settings`; `method_settings` are the method's own
    (`selfsight methods NAME`). With `resume` the settings saved in `out` are used.

    Raises UserError for a mistake in the input, in one line.
    """
    given = {name: value for name, value in locals().items() if name in Settings.__slots__}
    given |= {name: str(given[name]) for name in ("labels", "held_out", "cache")}
    return train_with(
        str(images),
        out=Path(out),
        settings=settings_from(given),
        method_settings=method_settings,
        resume=resume,
        quiet=quiet,
    )


def train_with(
    images: str,
    *,
    out: Path,
    settings: Settings,
    method_settings: Mapping[str, object],
    resume: bool = False,
    quiet: bool = False,
) -> "Run":
    """Train with settings that are already an object; `train` and the command line end here."""
    from selfsight.run import Run

    own = dict(method_settings)
    if resume:
        if not (out / "settings.toml").is_file():
            raise UserError(f"{out} holds no run to resume; start it without --resume")
        run = Run.open(out)
        if run.evidence and (out / "report.html").is_file():
            raise UserError(f"the run in {out} has ended; there is nothing to resume")
        settings, own = _resumed(run, images, settings, own)
    else:
        vacant(out)
        apart(images, out)
    from selfsight.display import Display
    from selfsight.fit import fit

    with Display(quiet=quiet) as display:
        return fit(
            images,
            out=out,
            settings=settings,
            method_settings=own,
            resume=resume,
            display=display,
        )


def _resumed(
    run: "Run", images: str, settings: Settings, own: dict[str, object]
) -> tuple[Settings, dict[str, object]]:
    """Return the saved settings, after checking that nothing else was asked for."""
    from selfsight import methods
    from selfsight.run import begun_otherwise

    if Path(images).absolute() != Path(run.images).absolute():
        raise UserError(f"the run in {run.path} was begun with {run.images}, not with {images}")
    default, given = Settings(), placed(settings)
    for name in Settings.__slots__:
        asked, saved = getattr(given, name), getattr(run.settings, name)
        # The batch was fitted to few images, perhaps; that is seen when they are read.
        fitted = name == "batch" and asked > saved
        replaced = name in REPLACED and run.settings.steps == 0
        if asked not in (saved, getattr(default, name)) and not (fitted or replaced):
            raise begun_otherwise(run, name, asked)
    for name, value in methods.parse_settings(methods.find(run.settings.method), own).items():
        if run.method_settings.get(name) != value:
            raise UserError(f"the run in {run.path} was not begun with {name} {value}")
    batch = run.settings.batch if given.batch == default.batch else given.batch
    return replace(run.settings, batch=batch), dict(run.method_settings)
