"""A small convolutional network for processors without a GPU, demonstrations and tests.

Five blocks of 3x3 convolution, batch norm and ReLU; three of them halve the map, so 32 px become
4x4 and 8 px still leave 1x1. Half a million weights, 24 million multiplications for an image of
32 px (a ResNet-18 with the small stem: 556 million).

It speaks the few words of timm that the encoder uses: `num_features`, `feature_info`,
`forward_features`, `forward_intermediates`, `group_matcher`.
"""

from jaxtyping import Float
from torch import Tensor, nn

BLOCKS = ((32, 2), (64, 1), (128, 2), (128, 1), (256, 2))  # channels out, stride


class ConvNet(nn.Module):
    """The network `convnet`: 256 features, any image of 8 px or more."""

    num_features = head_hidden_size = BLOCKS[-1][0]

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        self.feature_info: list[dict[str, object]] = []
        reduction, width = 1, channels
        for place, (wider, stride) in enumerate(BLOCKS):
            blocks.append(_block(width, wider, stride=stride))
            reduction, width = reduction * stride, wider
            self.feature_info.append(
                {"num_chs": width, "reduction": reduction, "module": f"blocks.{place}"}
            )
        self.blocks = nn.ModuleList(blocks)

    def group_matcher(self, *, coarse: bool) -> dict[str, str]:  # noqa: ARG002
        """Return the pattern by which timm sorts weights into layers: each block is one."""
        return {"stem": r"^blocks\.0", "blocks": r"^blocks\.(\d+)"}

    def forward(self, pixels: Float[Tensor, "b channels h w"]) -> Float[Tensor, "b dim"]:
        """Return the mean over the places of the last map."""
        return self.forward_features(pixels).mean((2, 3))

    def forward_features(
        self, pixels: Float[Tensor, "b channels h w"]
    ) -> Float[Tensor, "b dim rows columns"]:
        """Return the last map, an eighth of the image's height and width, rounded up."""
        return self.forward_intermediates(pixels, intermediates_only=True)[-1]

    def forward_intermediates(
        self, pixels: Float[Tensor, "b channels h w"], *, intermediates_only: bool
    ) -> list[Float[Tensor, "b _channels _rows _columns"]]:
        """Return the map after each block."""
        assert intermediates_only, "there is nothing else to return"
        maps = []
        for block in self.blocks:
            pixels = block(pixels)
            maps.append(pixels)
        return maps


def _block(channels: int, wider: int, *, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU(inplace=True))
