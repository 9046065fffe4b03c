"""Images of one object on a texture, and an encoder that learns in seconds what the object is.

The object, a square of 12 px, bears one of four regular patterns and lies anywhere. The texture has
the same two grey levels in blocks of the same size, at random: nothing but the pattern tells the
object from it, so that a network that knows nothing has no reason to look there.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from selfsight.nets.encoder import Encoder, build_encoder

SIDE, OBJECT = 32, 12
CLASSES = 4
BATCH = 32


def scenes(count: int, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images in [0, 1], the class of each, and a mask that is 1 on the object."""
    draw = torch.Generator().manual_seed(seed)
    images = _textures(count, draw)
    classes = torch.randint(0, CLASSES, (count,), generator=draw)
    corners = torch.randint(0, SIDE - OBJECT + 1, (count, 2), generator=draw)
    masks = torch.zeros(count, SIDE, SIDE)
    for image, mask, kind, (top, left) in zip(
        images, masks, classes.tolist(), corners.tolist(), strict=True
    ):
        _place(image, mask, kind, top=top, left=left)
    return images.clamp(0, 1), classes, masks


def two_objects(count: int, *, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images of two objects, the class of the first one, and the masks of both."""
    draw = torch.Generator().manual_seed(seed)
    images = _textures(count, draw)
    first, second = torch.zeros(2, count, SIDE, SIDE)
    tops = torch.randint(0, SIDE - OBJECT + 1, (count, 2), generator=draw).tolist()
    classes = torch.arange(count) % CLASSES
    for row, (one, other) in enumerate(tops):
        kind = int(classes[row])
        _place(images[row], first[row], kind, top=one, left=1)
        another = (kind + 1 + row // CLASSES) % CLASSES
        _place(images[row], second[row], another, top=other, left=SIDE - OBJECT - 1)
    return images.clamp(0, 1), classes, first, second


def _textures(count: int, draw: torch.Generator) -> Tensor:
    """Return blocks of 2 px, light or dark by chance: the objects have the same two levels."""
    coins = torch.randint(0, 2, (count, 1, SIDE // 2, SIDE // 2), generator=draw).float()
    return 0.5 + 0.25 * (2 * F.interpolate(coins, (SIDE, SIDE)) - 1).repeat(1, 3, 1, 1)


def _place(image: Tensor, mask: Tensor, kind: int, *, top: int, left: int) -> None:
    place = slice(top, top + OBJECT), slice(left, left + OBJECT)
    image[:, *place] = 0.5 + 0.25 * _patterns()[kind]
    mask[*place] = 1


def _patterns() -> Tensor:
    row, column = torch.meshgrid(torch.arange(OBJECT), torch.arange(OBJECT), indexing="ij")
    waves = [row // 2 % 2, column // 2 % 2, (row // 2 + column // 2) % 2, (row + column) // 3 % 2]
    return 2 * torch.stack(waves).float() - 1


def untaught(name: str = "convnet", *, channels: int = 3, side: int = SIDE) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(
        name, image_size=side, channels=channels, mean=[0.5] * channels, std=[0.2] * channels
    ).eval()


def taught(*, steps: int) -> tuple[Encoder, Tensor]:
    """Return an encoder that was trained to tell the patterns, and its classifier's weights."""
    encoder = untaught().train()
    head = torch.nn.Linear(encoder.dim, CLASSES)
    weights = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=3e-3, weight_decay=0.01)
    images, classes, _ = scenes(steps * BATCH, seed=1)
    for step in range(steps):
        part = slice(BATCH * step, BATCH * (step + 1))
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        loss = F.cross_entropy(head(encoder(images[part])), classes[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder.eval(), head.weight.detach()
