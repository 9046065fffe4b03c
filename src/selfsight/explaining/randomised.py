"""The same network with random weights: a map that does not change with it explains nothing.

Adebayo et al., NeurIPS 2018 (arXiv 1810.03292). All weights are drawn anew. The running statistics
of batch norm are measured on images, because those of an untrained network are not its own and its
features would explode or vanish: the check would then see that, not the weights.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from selfsight.explaining.maps import DIFFERENTIATED, Images, pieces
from selfsight.nets.encoder import Encoder, build_encoder


def randomised(encoder: Encoder, images: Images, *, seed: int) -> Encoder:
    """Return an encoder of the same architecture with random weights, in evaluation mode.

    images: to measure the running statistics of batch norm on; they fit the encoder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        twin = build_encoder(**encoder.config)  # type: ignore[arg-type]
    twin.to(encoder.mean.device)
    measure_statistics(twin, images)
    return twin.eval()


def measure_statistics(encoder: nn.Module, images: Images) -> None:
    """Set the running statistics of every batch norm to their means over the pieces of `images`."""
    norms = [part for part in encoder.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    if len(images) == 1:  # of one image alone there is no variance on a map of one place
        images = torch.cat([images, images.flip(-1)])
    encoder.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # dropout draws
        pair = 2 * images.shape[2] * images.shape[3]
        for part in pieces(len(images), images, pixels=max(pair, DIFFERENTIATED)):
            if len(part) > 1:
                encoder(images[part.start : part.stop])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
