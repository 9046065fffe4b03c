"""All maps of some images by one encoder, with the checks that say whether to believe them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.errors import UserError
from selfsight.explaining.aims import Aim
from selfsight.explaining.bank import Progress
from selfsight.explaining.faithfulness import Order, agreement, measure_orders
from selfsight.explaining.keeping import Keep, kept_maps, made_now
from selfsight.explaining.makers import IGNORES_TARGET, TITLES, maker_of
from selfsight.explaining.maps import Images, MapMaker, Maps
from selfsight.explaining.parts import parts_of
from selfsight.explaining.randomised import randomised
from selfsight.explaining.targets import Target
from selfsight.explaining.trust import Trust, judge
from selfsight.nets.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Checked:
    """One kind of map of all images, with what the checks found.

    randomised, other_target: rank correlations image by image, NaN where a map is flat or there is
    no other target. seconds: of computing, an image.
    """

    maps: Maps
    order: Order
    randomised: Float[np.ndarray, "images"]
    other_target: Float[np.ndarray, "images"]
    seconds: float
    trust: Trust


@dataclass(frozen=True, slots=True)
class Explained:
    """What one encoder was found to look at. baselines: orders that look at no encoder."""

    name: str
    seen: Images
    checked: Mapping[str, Checked]
    baselines: Mapping[str, Order]
    parts: Float[Tensor, "batch 3 rows columns"] | None


def explain_images(
    encoder: Encoder,
    images: Images,
    aim: Aim,
    *,
    name: str,
    maps: list[str],
    seed: int,
    progress: Progress,
    role: str = "encoder",
    keep: Keep = made_now,
) -> Explained:
    """Return the maps of the images toward the aim, checked.

    name: of the encoder, for people. maps: their names. The images fit the encoder. role: what the
    names of the parts begin with. keep: what keeps them, each kind of map, each check of it, and
    the areas. Raises UserError where the aim or a map does.
    """
    target = aim(encoder, progress=progress)
    twin = randomised(encoder, images, seed=seed + 1)
    twins_target = aim(twin, progress=progress)
    strangers = aim.strangers()
    alone = strangers < 0
    places = np.where(alone, np.arange(len(images)), strangers)
    shifted = target.part(torch.from_numpy(places))
    drawn: dict[str, Maps] = {}
    correlations: dict[str, list[Float[np.ndarray, "images"]]] = {}
    seconds: dict[str, float] = {}
    for kind in maps:
        maker = maker_of(kind, seed=seed)

        def made(
            part: str, network: Encoder, toward: Target, maker: MapMaker = maker, kind: str = kind
        ) -> tuple[Maps, float]:
            title = f"{name}: {TITLES[kind]}" + (f", {part}" if part else "")
            return kept_maps(
                keep,
                "-".join([role, kind, *part.split()]),
                lambda: draw(maker, network, images, toward, title=title, progress=progress),
            )

        drawn[kind], spent = made("", encoder, target)
        seconds[kind] = spent / len(images)
        check, _ = made("random weights", twin, twins_target)
        correlations[kind] = [agreement(drawn[kind], check)]
        if kind in IGNORES_TARGET or alone.all():
            correlations[kind].append(np.full(len(images), np.nan))
            continue
        other, _ = made("another target", encoder, shifted)
        signed = agreement(drawn[kind], other, sizes=False)
        correlations[kind].append(np.where(alone, np.nan, signed))
    orders = measure_orders(
        encoder,
        images,
        target,
        maps=drawn,
        seed=seed,
        progress=lambda done, total: progress(f"{name}: deletion and insertion", done, total),
        keep=partial(keep, f"{role}-areas"),
    )
    checked = {
        kind: _checked(kind, drawn[kind], orders, *correlations[kind], seconds=seconds[kind])
        for kind in maps
    }
    baselines = {place: order for place, order in orders.items() if place not in maps}
    return Explained(name, images, checked, baselines, _parts(encoder, images))


def draw(
    maker: MapMaker,
    encoder: Encoder,
    images: Images,
    target: Target,
    *,
    title: str,
    progress: Progress,
) -> Maps:
    """Return the maps, made image by image so that progress shows and memory stays bounded."""
    found = []
    for row in range(len(images)):
        found.append(maker(encoder, images[row : row + 1], target.part(torch.tensor([row]))))
        progress(title, row + 1, len(images))
    extras = {
        name: torch.cat([each.extras[name] for each in found]).cpu() for name in found[0].extras
    }
    values = torch.cat([each.values for each in found]).detach().cpu()
    return Maps(values, found[0].signed, extras)


def mean_known(values: Float[np.ndarray, "images"]) -> float:
    """Return the mean of the values that are numbers, NaN if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _checked(
    kind: str,
    maps: Maps,
    orders: Mapping[str, Order],
    by_weights: Float[np.ndarray, "images"],
    by_target: Float[np.ndarray, "images"],
    *,
    seconds: float,
) -> Checked:
    trust = judge(
        TITLES[kind],
        orders[kind],
        randomised=mean_known(by_weights),
        other_target=1.0 if kind in IGNORES_TARGET else mean_known(by_target),
        centre=orders["centre"],
        empty=bool((maps.values.flatten(1).std(1, correction=0) == 0).all()),
    )
    return Checked(maps, orders[kind], by_weights, by_target, seconds, trust)


def _parts(encoder: Encoder, images: Images) -> Float[Tensor, "batch 3 rows columns"] | None:
    try:
        return parts_of(encoder, images).cpu()
    except UserError:  # a network that does not tell its stages has none to colour
        return None
