"""Before a training: the machine's part of the settings, and a method that suits the images."""

from collections.abc import Callable
from dataclasses import replace

import torch

from selfsight.assemble import (
    build_method,
    demand_memory,
    demand_rate,
    fitted_batch,
    fitted_encoder,
    fitted_stem,
    suited,
)
from selfsight.chunks import demand_chunk, demand_groups
from selfsight.engine import Engine
from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.material import is_grey
from selfsight.memory import installed_memory
from selfsight.method import Method, Situation
from selfsight.nets.encoder import Encoder
from selfsight.processors import free_cores
from selfsight.settings import Settings

GREY = (0.5, 0.5, 0.5)  # stands in for the pixel statistics until the images are read


def equip(settings: Settings) -> tuple[Settings, Engine]:
    """Return the settings with the threads that are used from now on, and the engine.

    Raises UserError for a batch that the processes cannot share.
    """
    threads = free_cores() if settings.threads == "auto" else settings.threads
    torch.set_num_threads(threads)
    engine = Engine(device=settings.device, precision=settings.precision)
    if settings.batch % world_size():
        raise UserError(f"batch is {settings.batch}; it must divide by {world_size()} processes")
    return replace(settings, threads=threads), engine  # a resumed run adds up in the same order


def drafted(
    kind: type[Method],
    own: dict[str, object],
    *,
    settings: Settings,
    engine: Engine,
    say: Callable[[str], None],
) -> Settings:
    """Return the settings with the encoder by name and the stem that the device can afford.

    Raises UserError for mistakes that can be found without the images, which take longer to read.
    """
    demand_rate(kind, settings)
    settings = fitted_encoder(settings, kind=kind, say=say)
    demand_chunk(kind, settings)
    draft = build_method(kind, own, settings=settings, mean=GREY, std=GREY)
    return fitted_stem(settings, encoder=draft.encoder, device=engine.device.type, say=say)


def _nothing(line: str) -> None:
    """Say nothing."""


def settled(
    kind: type[Method],
    own: dict[str, object],
    *,
    settings: Settings,
    images: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    begin: Callable[[Encoder], object] | None = None,
    engine: Engine,
    resume: bool,
    say: Callable[[str], None],
) -> tuple[Settings, dict[str, object], Method]:
    """Return the settings and the method's own, fitted to the images, and the method on its device.

    images: that are trained on. mean, std: of their pixels, by channel. begin: what to do with
    the new encoder. A resumed run keeps what it had. Raises UserError for what cannot work with
    these images.
    """
    if settings.steps == 0:
        say = _nothing  # of a batch and a method that are not used
    settings = fitted_batch(settings, images=images, say=say)
    if settings.steps != 0:
        demand_memory(settings, installed=installed_memory(engine.device))
    demand_chunk(kind, settings)  # again: the batch may have shrunk
    if not resume:
        own = suited(kind, own, settings=settings, images=images, say=say)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        method = build_method(kind, own, settings=settings, mean=mean, std=std, begin=begin)
    demand_groups(method, settings)
    method.demand_fit(
        Situation(
            images=images,
            batch=settings.batch,
            image_size=settings.size,
            grey=is_grey(mean, std),
        )
    )
    return settings, own, method.to(engine.device)
