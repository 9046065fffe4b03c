"""What can be read at each depth: the linear probe on every layer, from stem to projection.

A projection head is trained to forget what the views differ in, and a pretext task's last layers
serve the task: the best layer is seldom the last. A network is a callable from a batch of images to
the features of all its layers, in order, so one pass over the images feeds every probe.

The best layer is chosen on the training labels that each probe holds back for its regularisation,
never on the test part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from selfsight.data.images import ImageSet, quiet
from selfsight.evaluation.embed import Embeddings, Progress
from selfsight.evaluation.interval import Interval, accuracy_interval
from selfsight.evaluation.linear import linear_probe

Features = Mapping[str, Float[np.ndarray, "batch _dim"]]
EncodeLayers = Callable[[UInt8[np.ndarray, "batch channels height width"]], Features]


@dataclass(frozen=True, slots=True)
class Layer:
    """What the linear probe reads from one layer."""

    name: str
    dim: int
    accuracy: Interval  # on the test part, in [0, 1]
    held_back: float  # accuracy on the training labels held back; NaN where there are none


def probe_layers(
    encode: EncodeLayers,
    train: ImageSet,
    test: ImageSet,
    *,
    seed: int,
    progress: Progress = quiet,
) -> list[Layer]:
    """Return a row for each layer, in the order of `encode`, fitted on `train`, read on `test`.

    Both must have labels; images without one are left out. Raises UserError as `linear_probe` does.
    """
    fitted, read = (embed_layers(encode, images, progress=progress) for images in (train, test))
    found = []
    for number, (name, features) in enumerate(fitted.items()):
        progress("probing layers", number, len(fitted))
        queries = read[name].labelled()
        probe = linear_probe(features, queries, seed=seed)
        found.append(
            Layer(
                name=name,
                dim=features.features.shape[1],
                accuracy=accuracy_interval(probe.predicted == queries.labels, seed=seed),
                held_back=max((accuracy for _, accuracy in probe.sweep), default=float("nan")),
            )
        )
    progress("probing layers", len(fitted), len(fitted))
    return found


def best_layer(layers: Sequence[Layer]) -> Layer:
    """Return the layer that read most of the held-back training labels; of equals the deepest."""
    return max(reversed(layers), key=lambda layer: np.nan_to_num(layer.held_back, nan=-1.0))


def embed_layers(
    encode: EncodeLayers, images: ImageSet, *, batch: int = 512, progress: Progress = quiet
) -> dict[str, Embeddings]:
    """Return the features of all images in every layer, as float32, by the layer's name."""
    assert len(images) > 0
    total, layers = len(images), dict[str, Float32[np.ndarray, "images dim"]]()
    for start in range(0, total, batch):
        rows = np.arange(start, min(start + batch, total))
        for name, features in encode(images.batch(rows)).items():
            if start == 0:  # only now are the widths known
                layers[name] = np.empty((total, features.shape[1]), dtype=np.float32)
            layers[name][rows] = features
        progress("embedding all layers", int(rows[-1]) + 1, total)
    labels = np.asarray(images.labels.index, dtype=np.int64)
    return {name: Embeddings(features, labels) for name, features in layers.items()}


def layers_to_json(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return the rows as plain JSON values."""
    best = best_layer(layers)
    return [asdict(layer) | {"best": layer is best} for layer in layers]
