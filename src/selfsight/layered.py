"""A network as one callable that gives the features of all its layers, for `evaluation/layers.py`.

The layers of an encoder are its stages and its output; those of a run go on through the head that
its method throws away.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from selfsight import methods
from selfsight.assemble import build_method
from selfsight.errors import UserError
from selfsight.evaluation.layers import EncodeLayers, Features
from selfsight.method import Method
from selfsight.nets.encoder import Encoder, evaluating
from selfsight.run import Run


def encoder_layers(encoder: Encoder, *, head: nn.Sequential, device: str = "cpu") -> EncodeLayers:
    """Return the function from uint8 images to the features of every layer, by name.

    "stage 1" and on are the means over places after the encoder's stages, "encoder" is its output,
    "head 1" and on are the layers of `head`, which may be empty. Both modules are moved to `device`
    and stay there; nothing else of them changes.
    """
    network = nn.ModuleList([encoder, head]).to(device)

    def encode(pixels: UInt8[np.ndarray, "batch channels height width"]) -> Features:
        # A copy, because a read-only (memory-mapped) array cannot become a tensor.
        with evaluating(network), torch.inference_mode():
            images = encoder.fit(torch.tensor(pixels))
            layers = {
                f"stage {number}": stage for number, stage in enumerate(encoder.stages(images), 1)
            }
            h = encoder(images)
            layers["encoder"] = h
            layers |= {f"head {number}": z for number, z in enumerate(_through(head, h), 1)}
        return {name: features.float().cpu().numpy() for name, features in layers.items()}

    return encode


def run_layers(run: Run, *, device: str = "cpu") -> EncodeLayers:
    """Return `encoder_layers` of a finished run, with the head of its method if that was trained.

    Raises UserError if the run has not ended or its checkpoints are gone.
    """
    if run.settings.steps == 0:
        return encoder_layers(run.encoder, head=nn.Sequential(), device=device)
    method = trained_method(run)
    return encoder_layers(method.exported, head=method.projection_head, device=device)


def trained_method(run: Run) -> Method:
    """Return the method of a finished run with the weights of its end.

    Raises UserError if the run has not ended or its checkpoints are gone.
    """
    encoder, saved = run.encoder, run.latest_checkpoint()
    if saved is None:
        raise UserError(
            f"the run in {run.path} has no checkpoints any more; without them its head is lost"
        )
    kind = methods.find(run.settings.method)
    method = build_method(
        kind,
        methods.parse_settings(kind, run.method_settings),
        settings=run.settings,
        mean=encoder.mean.tolist(),
        std=encoder.std.tolist(),
    )
    method.load_state_dict(saved["method"])
    return method


def _through(head: nn.Sequential, h: Float[Tensor, "batch dim"]) -> Iterator[Tensor]:
    """Yield the features after every layer of a head: a Linear with what follows it."""
    for number, part in enumerate(head):
        if isinstance(part, nn.Linear) and number > 0:
            yield h
        h = part(h)
    if len(head):
        yield h
