"""From settings to the parts of a training: the method around its encoder, the optimiser, rates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch.optim import Optimizer

from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.method import Method, Situation
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.nets.networks import begins
from selfsight.optim import build_optimiser, scaled_rate
from selfsight.settings import Settings

CHANNELS, FLOAT = 3, 4  # of an image; bytes of a number
USUAL_ENCODER = "resnet18"
STEPS_ONLY = (  # settings that nothing without gradient steps looks at
    *("method", "batch", "accumulate", "chunk", "optimiser", "lr", "weight_decay", "warm_up"),
    *("on_collapse", "looks", "checkpoint_minutes"),
)
SMALLEST_FOR_STANDARD = 32  # px; of smaller images a ResNet's own stem leaves less than one place


def fitted_encoder(
    settings: Settings, *, kind: type[Method], say: Callable[[str], None]
) -> Settings:
    """Return the settings with an encoder by name, said aloud where it is not the usual one."""
    if settings.encoder != "auto":
        return settings
    if kind.smallest_encoder == "convnet":  # any network will do
        return replace(settings, encoder=USUAL_ENCODER)
    say(f"encoder = {kind.smallest_encoder}: {settings.method} does not work with {USUAL_ENCODER}")
    return replace(settings, encoder=kind.smallest_encoder)


def fitted_batch(settings: Settings, *, images: int, say: Callable[[str], None]) -> Settings:
    """Return the settings with a batch that the images can fill, said aloud if it is another.

    It is a power of two in each process. Raises UserError for fewer images than processes.
    """
    if settings.batch <= images:
        return settings
    processes = world_size()
    if images < processes:
        raise UserError(f"{images} training images cannot feed {processes} processes; start fewer")
    batch = processes * 2 ** ((images // processes).bit_length() - 1)
    say(f"batch = {batch}: there are {images:,} training images, fewer than {settings.batch}")
    return replace(settings, batch=batch)


def demand_memory(settings: Settings, *, installed: float) -> None:
    """Raise UserError if the pixels alone of a process's batch exceed the memory.

    installed: bytes. Counted are the stored batch and, of a chunk if there are chunks, two float
    views and once more each for the first layer and its gradient; a network takes more, so passing
    is no promise.
    """
    image = settings.size**2 * CHANNELS
    batch = settings.batch / world_size()
    needed = image * (batch + (settings.chunk or batch) * 6 * FLOAT)
    if needed > installed:
        raise UserError(
            f"a batch of {settings.batch} images of {settings.size} px takes at least "
            f"{needed / 2**30:.0f} GiB and there are {installed / 2**30:.0f}; "
            "give a smaller --batch or --size"
        )


def fitted_stem(
    settings: Settings, *, encoder: Encoder, device: str, say: Callable[[str], None]
) -> Settings:
    """Return the settings with the stem that the device can afford, said aloud if it is another.

    encoder: what the settings ask for. On an accelerator, and below 32 px, the small stem stays.
    """
    affordable = device != "cpu" or settings.size < SMALLEST_FOR_STANDARD
    if settings.stem != "auto" or encoder.stem != "small" or affordable:
        return settings
    say(
        "stem = standard: on a processor a step with the small stem takes several times as long; "
        "--stem small has it all the same"
    )
    return replace(settings, stem="standard")


def suited(
    kind: type[Method],
    own: dict[str, object],
    *,
    settings: Settings,
    images: int,
    say: Callable[[str], None],
) -> dict[str, object]:
    """Return the method's settings with the defaults that this situation changes, said aloud."""
    situation = Situation(
        images=images,
        batch=settings.batch,
        image_size=settings.size,
        accumulate=settings.accumulate,
        chunk=settings.chunk,
    )
    changed = {}
    for adjustment in kind.suited(situation):
        if adjustment.setting not in own:
            say(f"{adjustment.setting} = {adjustment.value}: {adjustment.reason}")
            changed[adjustment.setting] = adjustment.value
    return own | changed


def precision_used(settings: Settings, precision: str) -> str:
    """Return the precision of a run: the engine's, but full where no gradient step is taken."""
    return "fp32" if settings.steps == 0 else precision


def for_steps(settings: Settings) -> list[str]:
    """Return the names of the settings that were given and only matter in gradient steps."""
    default = Settings()
    given = [name for name in STEPS_ONLY if getattr(settings, name) != getattr(default, name)]
    return [*given, *(["precision"] if settings.precision == "bf16" else [])]


def demand_steps(settings: Settings, own: Mapping[str, object]) -> None:
    """Raise UserError for no steps with an encoder that learns in steps, or what needs steps.

    own: the method's settings that were given.
    """
    if settings.steps != 0:
        return
    if not begins(settings.encoder):
        raise UserError(
            f"steps is 0, and {settings.encoder} learns in steps only; give --steps N, or "
            "--encoder patchnet, which begins without"
        )
    idle = [*for_steps(settings), *own]
    if idle:
        raise UserError(
            f"{idle[0]} has no effect without gradient steps (steps = 0, also by --preset laptop): "
            "leave it out, or give --steps N"
        )


def demand_rate(kind: type[Method], settings: Settings) -> None:
    """Raise UserError for an optimiser that the method's own rate is not made for."""
    if settings.lr == "auto" and settings.optimiser not in ("auto", kind.recipe.optimiser):
        raise UserError(
            f"{settings.method}'s learning rate is made for {kind.recipe.optimiser}; "
            f"give --lr with --optimiser {settings.optimiser}"
        )


def rate_lines(method: Method, settings: Settings) -> list[str]:
    """Return why the peak rate is not the recipe's: one line, or none where it is."""
    batch, recipe = settings.batch * settings.accumulate, method.recipe
    if settings.lr != "auto" or batch == 256:
        return []
    ratio = f"{batch} / 256"
    if recipe.optimiser == "adamw":
        ratio = f"the square root of {ratio}"
    return [f"lr = {peak_rate(method, settings):.3g}: {recipe.lr:g} at batch 256, times {ratio}"]


def build_method(
    kind: type[Method],
    own: dict[str, object],
    *,
    settings: Settings,
    mean: Sequence[float],
    std: Sequence[float],
    begin: Callable[[Encoder], object] | None = None,
) -> Method:
    """Return the method around a fresh encoder for these images; torch's seed decides both.

    begin: what to do with the encoder before the method is built around it.
    """
    encoder = build_encoder(
        settings.encoder,
        image_size=settings.size,
        stem=settings.stem,
        mean=mean,
        std=std,
    )
    if begin is not None:
        begin(encoder)
    method: Method = kind(encoder, **own)
    return method


def optimiser_for(method: Method, settings: Settings) -> Optimizer:
    """Return the optimiser that the settings, or the method's recipe, name."""
    decay = _chosen(settings.weight_decay, method.recipe.weight_decay)
    return build_optimiser(_name(method, settings), method.param_groups(), weight_decay=decay)


def peak_rate(method: Method, settings: Settings) -> float:
    """Return the peak learning rate: the settings' own, or the recipe's scaled to the batch."""
    batch = settings.batch * settings.accumulate
    scaled = scaled_rate(_name(method, settings), method.recipe.lr, batch=batch)
    return _chosen(settings.lr, scaled)


def _name(method: Method, settings: Settings) -> str:
    return method.recipe.optimiser if settings.optimiser == "auto" else settings.optimiser


def _chosen(value: float | str, auto: float) -> float:
    return auto if isinstance(value, str) else value
