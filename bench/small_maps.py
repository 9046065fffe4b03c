"""What the matrix products for small maps save: forward and backward passes with and without.

    python bench/small_maps.py [--encoder resnet18] [--sizes 32,64,128] [--rounds 5]

Standard stem, fp32, in turn on the same weights and images; the ratio is taken within a round.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.nets.small_maps import SmallMapConv2d


def plain(network: nn.Module) -> None:
    """Give every convolution torch's own forward pass again."""
    for part in network.modules():
        if isinstance(part, SmallMapConv2d):
            part.__class__ = nn.Conv2d


def seconds(encoder: Encoder, images: Tensor) -> float:
    """Return the time of one forward and backward pass."""
    began = time.perf_counter()
    encoder(images).pow(2).mean().backward()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--sizes", default="32,64,128")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.encoder}, batch {arguments.batch}, {torch.get_num_threads()} threads")
    print(f"{'px':>5}{'plain images/s':>16}{'ours images/s':>15}   ours / plain [range]")
    for size in map(int, arguments.sizes.split(",")):
        torch.manual_seed(0)
        ours, other = (
            build_encoder(
                arguments.encoder, image_size=size, stem="standard", mean=[0.5] * 3, std=[0.25] * 3
            ).train()
            for _ in range(2)
        )
        plain(other)
        images = torch.rand(arguments.batch, 3, size, size)
        pairs = [
            (seconds(other, images), seconds(ours, images)) for _ in range(arguments.rounds + 1)
        ]
        ratios = [slow / quick for slow, quick in pairs[1:]]
        rates = [
            arguments.batch / statistics.median(column) for column in zip(*pairs[1:], strict=True)
        ]
        print(
            f"{size:>5}{rates[0]:>16.0f}{rates[1]:>15.0f}   {statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        )


if __name__ == "__main__":
    main()
