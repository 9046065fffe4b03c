"""The weights of an encoder by layer, from the pixels up: what freezing and layer-wise rates need.

timm says of its networks which weights lie how deep; its coarse layers are the stages of a ResNet
and the blocks of a vision transformer.
"""

from torch.nn import Parameter

from selfsight.nets.encoder import Encoder


def layers_of(encoder: Encoder) -> list[list[Parameter]]:
    """Return the encoder's weights, one list a layer, the layer that sees the pixels first."""
    from timm.models import group_parameters

    network = encoder.network
    weights = dict(network.named_parameters())
    if hasattr(network, "group_matcher"):
        matcher = network.group_matcher(coarse=True)
        depths: dict[str, int] = group_parameters(network, matcher, reverse=True)
    else:
        depths = dict.fromkeys(weights, 0)
    return [
        [weights[name] for name, depth in depths.items() if depth == layer]
        for layer in sorted(set(depths.values()))
    ]


def train_but_frozen(encoder: Encoder) -> None:
    """Put the encoder into training mode, all but the parts whose weights are frozen.

    Batch norm in a frozen part goes on using its running statistics and does not move them.
    """
    encoder.train()
    for part in encoder.modules():
        own = list(part.parameters(recurse=False))
        if own and not any(weight.requires_grad for weight in own):
            part.train(False)


def freeze(weights: list[list[Parameter]]) -> None:
    """Freeze the weights of some layers."""
    for layer in weights:
        for weight in layer:
            weight.requires_grad_(False)
