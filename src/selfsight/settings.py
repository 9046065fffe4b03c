"""The settings of a run: one flat, frozen dataclass, to and from a TOML file.

The command line's options, the keyword arguments of `selfsight.train` and the lines of
`settings.toml` are these fields. A method's own settings stand beside them, in a table
`[method_settings]`.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from selfsight.errors import UserError, suggest

DEFAULT_EPOCHS = 100.0  # when none of epochs, steps and minutes is given


LARGEST_SIZE = 2048  # px; beyond it a single image fills a processor's memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run is made of, apart from its images and its method's own settings."""

    preset: Literal["none", "laptop", "auto"] = "none"
    """Settings that go together: laptop, for minutes on a processor; auto says what it picks."""
    method: str = "simclr"
    """Name of the method; `selfsight methods` lists them."""
    encoder: str = "auto"
    """Backbone: convnet (tiny, ours), patchnet (ours, k-means patches), resnet18, resnet50,
    vit_tiny, … or a timm name (auto: resnet18, for mae vit_tiny)."""
    stem: Literal["auto", "small", "standard"] = "auto"
    """First layers of a ResNet (auto: small for images up to 96 px, standard on a processor)."""
    size: int = 32
    """Side of the square images that training sees, in pixels."""
    batch: int = 256
    """Images a step, over all processes."""
    epochs: float | None = None
    """Train for so many passes over the images (100 if no budget is given)."""
    steps: int | None = None
    """Train for so many optimiser steps (0: none, for patchnet, which begins without)."""
    minutes: float | None = None
    """Train for so long; the schedule follows the clock."""
    accumulate: int = 1
    """Batches whose gradients are added up before each optimiser step."""
    chunk: int | None = None
    """Views in the encoder's memory at a time, for a large batch that is compared as a whole."""
    labels: str = "auto"
    """auto: class folders if there are any; none; or a CSV file with columns path,label."""
    held_out: str = "0.1"
    """Images to measure on: a share of the folder's, or another folder."""
    data: float = 1.0
    """Share of the training images to train on; labels and held-out images stay the same."""
    seed: int = 0
    """Seed of everything random."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks (auto: bf16 where the processor has it)."""
    optimiser: Literal["auto", "adamw", "lars", "sgd"] = "auto"
    """Optimiser (auto: what suits the method)."""
    lr: float | Literal["auto"] = "auto"
    """Peak learning rate as it is used (auto: the method's, scaled to the batch)."""
    weight_decay: float | Literal["auto"] = "auto"
    """Weight decay (auto: the method's)."""
    warm_up: float = 0.05
    """Share of the training over which the rate rises to its peak."""
    device: str = "auto"
    """Where to compute: auto, cpu, or a device name that torch knows."""
    threads: int | Literal["auto"] = "auto"
    """Processor threads for the arithmetic (auto: one for each idle core)."""
    cache: str = "auto"
    """Folder for decoded images (auto: `.selfsight-cache` beside the run)."""
    download: bool = False
    """Allow a named image set to be downloaded."""
    on_collapse: Literal["warn", "stop"] = "warn"
    """What to do when the run has collapsed."""
    looks: int = 10
    """How often the held-out images are measured while training goes on."""
    checkpoint_minutes: float = 5.0
    """Minutes between checkpoints; there is always one at the end."""

    def __post_init__(self) -> None:
        self._one_of("preset", "stem", "precision", "optimiser", "on_collapse")
        self._at_least("size", 8)
        if self.size > LARGEST_SIZE:
            raise UserError(f"size is {self.size}; it must be at most {LARGEST_SIZE} px")
        self._at_least("batch", 2)
        self._at_least("accumulate", 1)
        if self.chunk is not None:
            self._at_least("chunk", 2)
        self._at_least("looks", 1)
        check_seed(self.seed)
        budgets = [
            name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None
        ]
        if len(budgets) > 1:
            raise UserError(f"{' and '.join(budgets)} are given; give one budget, not several")
        if self.steps is not None:
            self._at_least("steps", 0)
        for name in ("epochs", "minutes", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"{name} is {value}; it must be above 0")
        if not 0 < self.data <= 1:
            raise UserError(f"data is {self.data}; it must be a share above 0, at most 1")
        if not 0 <= self.warm_up < 1:
            raise UserError(f"warm_up is {self.warm_up}; it must be a share from 0 to below 1")
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            if value != "auto" and not 0 <= value < math.inf:
                raise UserError(f"{name} is {value}; it must be 0 or more, or auto")
        if self.threads != "auto":
            self._at_least("threads", 1)

    @property
    def taught_by(self) -> str:
        """Return what finds the weights: the method or, without steps, the encoder by itself."""
        return self.encoder if self.steps == 0 else self.method

    def _one_of(self, *names: str) -> None:
        """Check what the command line's parser does, for callers from Python and for files."""
        kinds = get_type_hints(type(self))
        for name in names:
            value, words = getattr(self, name), get_args(kinds[name])
            if value not in words:
                near = suggest(str(value), list(words))
                raise UserError(f"{name} is {value!r}{near}; it must be one of: {', '.join(words)}")

    def _at_least(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if value < least:
            raise UserError(f"{name} is {value}; it must be at least {least}")


def names_of_settings() -> list[str]:
    """Return the names of all fields, in order."""
    return [field.name for field in fields(Settings)]


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return settings from names and values.

    Raises UserError for a name that is not a field and for a value of another type.
    """
    known, hints = names_of_settings(), get_type_hints(Settings)
    for name, value in given.items():
        if name not in known:
            raise UserError(
                f"no setting {name!r}{suggest(name, known)}; see selfsight train --help"
            )
        if not _suits(value, hints[name]):
            raise UserError(f"{name} is {value!r}; that is no value for it")
    return Settings(**given)


def _suits(value: object, hint: Any) -> bool:
    """Return whether a value has the type of a field; a whole number may stand for a float."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_args(hint):
        return any(_suits(value, kind) for kind in get_args(hint))
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def setting_from_text(name: str, text: str) -> object:
    """Return the value of a field that a text stands for, in the field's type.

    Raises UserError for a text that stands for none. Whether the value is allowed is not asked.
    """
    hint = get_type_hints(Settings)[name]
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    kinds = [hint] if hint in (str, int, float, bool) or get_origin(hint) is Literal else None
    for kind in kinds or get_args(hint):
        if get_origin(kind) is Literal:
            if text in get_args(kind):
                return text
        elif kind is bool:
            if text.lower() in words:
                return words[text.lower()]
        elif kind is not NoneType:
            try:
                return kind(text)
            except ValueError:
                continue
    raise UserError(f"{name} is {text!r}; that is no value for it (see selfsight train --help)")


def check_seed(seed: int) -> None:
    """Raise UserError for a seed that random generators do not take."""
    if not 0 <= seed < 2**63:
        raise UserError(f"seed is {seed}; it must be at least 0 and below 2^63")


def write_settings(
    path: Path, settings: Settings, *, images: str, method_settings: Mapping[str, object]
) -> None:
    """Write everything that makes a run to a TOML file; unset fields are left out."""
    import tomli_w

    flat = {name: value for name, value in asdict(settings).items() if value is not None}
    content = {"images": images} | flat | {"method_settings": dict(method_settings)}
    path.write_text(tomli_w.dumps(content), encoding="utf-8", errors="surrogateescape")


def read_settings(path: Path) -> tuple[str, Settings, dict[str, object]]:
    """Return the images' name, the settings and the method's own settings from a TOML file.

    Raises UserError for a file that is missing, broken or has unknown keys.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a settings file: {error}") from error
    images = content.pop("images", "")
    own = content.pop("method_settings", {})
    try:
        return images, settings_from(content), own
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
