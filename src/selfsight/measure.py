"""Evidence for one encoder: the same measurements on it, its untrained twin and raw pixels."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from selfsight.data.images import ImageSet
from selfsight.data.splits import stratified_sample
from selfsight.display import Display
from selfsight.evaluation.embed import Embeddings, Encode, embed, encoder_function
from selfsight.evaluation.evidence import Evidence, measure
from selfsight.evaluation.pixels import pixel_features
from selfsight.labelled import labelled_pair
from selfsight.nets.encoder import Encoder, build_encoder

NOTHING: Mapping[str, Encode] = {}


def evidence_for(
    encoder: Encoder,
    *,
    train: ImageSet,
    test: ImageSet,
    seed: int,
    most: int,
    device: str,
    progress: Callable[[str, int, int], None],
    further: Mapping[str, Encode] = NOTHING,
) -> Evidence | None:
    """Return the evidence, or None if too few labels are there to measure anything.

    At most `most` labelled images are used of each part, in the proportions of the classes.
    further: what else to measure, by name.
    """
    train, test = _labelled(train, most, seed), _labelled(test, most, seed)
    if not len(train) or not len(test) or len(np.unique(train.labels.index)) < 2:
        return None
    rows = []
    sources: dict[str, Encode] = {
        "encoder": encoder_function(encoder, device),
        "untrained": encoder_function(untrained(encoder, seed=seed), device),
        "pixels": pixel_features,
        **further,
    }
    for name, encode in sources.items():
        parts: list[Embeddings] = []
        for part, images in (("train", train), ("test", test)):

            def show(
                _: str, done: int, total: int, *, what: str = f"{name}: {part} images"
            ) -> None:
                progress(f"embedding, {what}", done, total)

            parts.append(embed(encode, images, progress=show))
        progress(f"probing {name}", 0, 1)
        rows.append(measure(name, parts[0], parts[1], seed=seed))
        progress(f"probing {name}", 1, 1)
    return Evidence.of(rows, classes=train.labels.names)


def evidence_between(
    encoder: Encoder,
    *,
    train: str,
    test: str,
    labels: str,
    test_labels: str,
    seed: int,
    cache: Path,
    device: str,
    display: Display,
) -> Evidence:
    """Return the evidence from two folders (or named sets) with labels; all their images count."""
    train_images, test_images = labelled_pair(
        train,
        test,
        size=encoder.image_size,
        labels=labels,
        test_labels=test_labels,
        cache=cache,
        progress=display.phase,
    )
    found = evidence_for(
        encoder,
        train=train_images,
        test=test_images,
        seed=seed,
        most=max(len(train_images), len(test_images)),
        device=device,
        progress=display.phase,
    )
    assert found is not None  # both have labels, the first of two classes
    return found


def untrained(encoder: Encoder, *, seed: int) -> Encoder:
    """Return an encoder of the same architecture with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_encoder(**encoder.config)  # type: ignore[arg-type]


def _labelled(images: ImageSet, most: int, seed: int) -> ImageSet:
    return images.part(stratified_sample(images.labels.index, count=most, seed=seed))
