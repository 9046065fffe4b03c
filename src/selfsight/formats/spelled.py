"""Our own networks as Python text that needs torch alone, for the file beside an export."""

from selfsight.nets.convnet import BLOCKS
from selfsight.nets.encoder import Encoder
from selfsight.nets.patch_answers import CONTRAST, NEAREST, SIDE
from selfsight.nets.patchnet import CLUSTERS, LINEAR, PROTOTYPES, READ_AT, ROOT

CONVNET = """

def block(channels, wider, stride):
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False),
        torch.nn.BatchNorm2d(wider),
        torch.nn.ReLU(),
    )


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.Sequential()
        channels = {channels}
        for wider, stride in {blocks}:
            self.blocks.append(block(channels, wider, stride))
            channels = wider

    def forward(self, pixels):
        return self.blocks(pixels).mean((2, 3))

"""

PATCHNET = """
F = torch.nn.functional
SIDE, READ_AT = {side}, {read_at}


class Answers(torch.nn.Module):
    def __init__(self, stride):
        super().__init__()
        size = {channels} * SIDE**2
        self.stride = stride
        self.register_buffer("whitening", torch.empty(size, size))
        self.register_buffer("centre", torch.empty(size))
        self.register_buffer("centres", torch.empty({clusters}, size))

    def forward(self, pixels):
        high, wide = (max(0, SIDE - side) for side in pixels.shape[2:])
        pixels = F.pad(pixels, (0, wide, 0, high), mode="replicate")
        patches = F.unfold(pixels, SIDE, stride=self.stride).transpose(1, 2)
        rows = (pixels.shape[2] - SIDE) // self.stride + 1
        patches = patches - patches.mean(2, keepdim=True)
        patches = patches / (patches.var(2, keepdim=True) + {contrast}).sqrt()
        white = (patches - self.centre) @ self.whitening
        square = white.square().sum(2, keepdim=True) + self.centres.square().sum(1)
        distance = (square - 2 * white @ self.centres.T).clamp(min={nearest}).sqrt()
        answers = (distance.mean(2, keepdim=True) - distance).clamp(min=0)
        answers = answers.transpose(1, 2).unflatten(2, (rows, -1))
        return F.adaptive_avg_pool2d(answers, 2)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse = Answers(2), Answers(1)
        self.register_buffer("level", torch.empty(2 * {clusters}, 2, 2))
        self.register_buffer("scale", torch.empty(2 * {clusters}, 2, 2))
        self.weight = torch.nn.Parameter(torch.empty({linear}, 2 * {clusters}, 2, 2))
        self.bias = torch.nn.Parameter(torch.empty({linear}))
        self.register_buffer("prototypes", torch.empty({prototypes}, {linear}))

    def forward(self, pixels):
        height, width = (min(READ_AT, side) for side in pixels.shape[2:])
        pixels = F.adaptive_avg_pool2d(pixels, (height, width))
        linear = (self.one_side(pixels) + self.one_side(pixels.flip(3))) / 2
        distance = torch.cdist(F.normalize(linear, dim=1), self.prototypes)
        nearness = (distance.mean(1, keepdim=True) - distance).clamp(min=0)
        return torch.cat([linear, nearness], 1)

    def one_side(self, pixels):
        coarse = self.coarse(F.avg_pool2d(pixels, 2, ceil_mode=True))
        answers = (torch.cat([self.fine(pixels), coarse], 1) + {root}).sqrt()
        answers = (answers - self.level) * self.scale
        return answers.flatten(1) @ self.weight.flatten(1).T + self.bias

"""


def spelled(encoder: Encoder) -> str:
    """Return the text of a class `Network` that has the weights of the encoder's network."""
    if encoder.name == "convnet":
        return CONVNET.format(channels=encoder.channels, blocks=BLOCKS)
    return PATCHNET.format(
        channels=encoder.channels,
        side=SIDE,
        read_at=READ_AT,
        clusters=CLUSTERS,
        linear=LINEAR,
        prototypes=PROTOTYPES,
        root=ROOT,
        contrast=CONTRAST,
        nearest=NEAREST,
    )
