"""Two ways of learning from the same images: by their labels, and by a self-supervised method.

For the comparison of twins both have the same architecture, the same number of steps and batches of
the same size, with one warm-up and cosine. Each has the views and the optimiser that are usual for
it: with labels crops, flips and AdamW, without them what the method says. Nothing is tuned, on
either side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight import methods
from selfsight.assemble import build_method, optimiser_for, peak_rate
from selfsight.beginning import begin
from selfsight.budget import progress_by_steps
from selfsight.data.images import ImageSet
from selfsight.data.splits import batch_rows
from selfsight.engine import Engine
from selfsight.errors import UserError
from selfsight.evaluation.embed import Encode, encoder_function
from selfsight.loop import train
from selfsight.method import Method, Situation
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.optim import build_optimiser, scaled_rate
from selfsight.schedule import warm_up_cosine
from selfsight.settings import Settings
from selfsight.views.augmentation import Augmentation

AREA = (0.35, 1.0)  # of a view, with labels
RATE, DECAY = 1e-3, 1e-4  # of AdamW at batch 256, with labels


@dataclass(frozen=True, slots=True)
class Learning:
    """What twins have in common, and the method of the one without labels.

    like: the encoder whose architecture and pixel statistics both have. batch: images a step, or
    all there are. progress: called with a phase, steps done and steps in all.
    """

    like: Encoder
    method: str
    method_settings: Mapping[str, object]
    steps: int
    batch: int
    progress: Callable[[str, int, int], None]

    def settings(self, images: ImageSet, *, seed: int) -> Settings:
        """Return the settings of a training on these images."""
        return Settings(
            method=self.method,
            encoder=self.like.name,
            stem=self.like.stem,  # type: ignore[arg-type]
            size=self.like.image_size,
            batch=min(self.batch, 2 ** (len(images).bit_length() - 1)),
            steps=self.steps,
            seed=seed,
        )


def supervised(learning: Learning, images: ImageSet, seed: int) -> Encode:
    """Return the features of a network that learned the labels of the images (cross entropy)."""
    settings = learning.settings(images, seed=seed)
    device = learning.like.mean.device
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        encoder = build_encoder(**learning.like.config).to(device)  # type: ignore[arg-type]
        begin(encoder, images, seed=seed, progress=learning.progress)
        head = nn.Linear(encoder.dim, len(images.labels.names)).to(device)
        optimiser = build_optimiser(
            "adamw",
            [{"params": [*encoder.parameters(), *head.parameters()]}],
            weight_decay=DECAY,
        )
        view = Augmentation(encoder.image_size, area=AREA)
        peak = scaled_rate("adamw", RATE, batch=settings.batch)
        encoder.train()
        for step in range(learning.steps):
            learning.progress("training with labels", step, learning.steps)
            for group in optimiser.param_groups:
                group["lr"] = peak * warm_up_cosine(step / learning.steps, warm_up=settings.warm_up)
            rows = batch_rows(step, images=len(images), batch=settings.batch, seed=seed)
            answers = torch.from_numpy(images.labels.index[rows]).to(device)
            loss = F.cross_entropy(head(encoder(view(_pixels(images, rows, device)))), answers)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        learning.progress("training with labels", learning.steps, learning.steps)
    return encoder_function(encoder, str(device))


def self_supervised(learning: Learning, images: ImageSet, seed: int) -> Encode:
    """Return the features of a network that learned by the method, from pixels alone."""
    settings = learning.settings(images, seed=seed)
    device = learning.like.mean.device
    method = _fitting(learning, settings, images=images).to(device)
    records = train(
        method,
        lambda step: _pixels(
            images, batch_rows(step, images=len(images), batch=settings.batch, seed=seed), device
        ),
        engine=Engine(device=str(device), precision="fp32"),
        optimiser=optimiser_for(method, settings),
        lr=peak_rate(method, settings),
        progress=progress_by_steps(learning.steps),
        warm_up=settings.warm_up,
        seed=seed,
    )
    for record in records:
        learning.progress("training without labels", record.step, learning.steps)
    return encoder_function(method.exported, str(device))


def _fitting(learning: Learning, settings: Settings, *, images: ImageSet) -> Method:
    """Return the method with its settings, or those that so few images suit where it must be."""
    kind, own = methods.find(learning.method), dict(learning.method_settings)
    situation = Situation(images=len(images), batch=settings.batch, image_size=settings.size)
    method = _built(kind, own, learning=learning, settings=settings, images=images)
    try:
        method.demand_fit(situation)
    except UserError:
        own |= {each.setting: each.value for each in kind.suited(situation)}
        method = _built(kind, own, learning=learning, settings=settings, images=images)
    return method


def _built(
    kind: type[Method],
    own: dict[str, object],
    *,
    learning: Learning,
    settings: Settings,
    images: ImageSet,
) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return build_method(
            kind,
            own,
            settings=settings,
            mean=learning.like.mean.tolist(),
            std=learning.like.std.tolist(),
            begin=partial(begin, images=images, seed=settings.seed, progress=learning.progress),
        )


def _pixels(
    images: ImageSet, rows: Int64[np.ndarray, "batch"], device: torch.device
) -> UInt8[Tensor, "batch 3 side side"]:
    return torch.from_numpy(images.batch(rows)).to(device)
