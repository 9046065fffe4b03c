"""Small squares cut from images without resampling: pairs of neighbours, and the tiles of a grid.

Every sample has its own random places, and a batch is cut by one indexing operation. Pixels come
out unchanged: interpolation would leave traces of where a patch was. Nothing is cut within 1 px of
the border, because the border pixels of a resized image repeat the edge and so betray it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from selfsight.precision import full_precision

BORDER = 1  # px
DIRECTIONS = 8  # of a neighbour, row by row around the centre: 0 1 2 / 3 . 4 / 5 6 7
FLAT = 1 / 255  # one grey level: contrast below it is noise, and is not stretched
GREEN_MAGENTA = (-1.0, 2.0, -1.0)

Images = Float[Tensor, "batch channels height width"]
Patches = Float[Tensor, "batch patches channels side side"]
Places = Int[Tensor, "batch patches channels"]  # first row or column of each patch, in px


def cut_patches(images: Images, top: Places, left: Places, *, side: int) -> Patches:
    """Return the squares of `side` px whose upper left corners are given, channel by channel."""
    width = images.shape[3]
    steps = torch.arange(side, device=images.device)
    rows = top[..., None, None] + steps[:, None]
    places = rows * width + left[..., None, None] + steps
    by_channel = places.transpose(1, 2)  # batch channels patches side side
    pixels = images.flatten(2).gather(2, by_channel.flatten(2))
    return pixels.view(by_channel.shape).transpose(1, 2)


def random_neighbours(
    like: Tensor, *, size: int, side: int, gap: int, jitter: int
) -> tuple[Int[Tensor, "batch 2"], Int[Tensor, "batch 2"], Int[Tensor, "batch"]]:
    """Draw for each sample the tops and lefts of two neighbouring patches, and the direction.

    The direction (0 to 7) is that of the second patch as seen from the first; they are `gap` px
    apart before each is moved by up to `jitter` px either way. `size` is the images' side in px.
    """
    batch = len(like)
    direction = torch.randint(DIRECTIONS, (batch,), device=like.device)
    cell = direction + (direction >= DIRECTIONS // 2)  # of 3x3, without the centre
    top, left = (
        _random_line(offset, size=size, side=side, step=side + gap, jitter=jitter)
        for offset in (cell // 3 - 1, cell % 3 - 1)
    )
    return top, left, direction


def _random_line(
    offset: Int[Tensor, "batch"], *, size: int, side: int, step: int, jitter: int
) -> Int[Tensor, "batch 2"]:
    """Draw where two patches begin on one axis, the second `offset` (-1, 0, 1) steps on."""
    length = side + step * offset.abs() + 2 * (jitter + BORDER)
    start = random_whole(size - length) + jitter + BORDER
    pair = torch.stack([(-offset).clamp(min=0), offset.clamp(min=0)], 1) * step
    return start[:, None] + pair + random_whole(torch.full_like(pair, 2 * jitter)) - jitter


def random_tiles(
    like: Float[Tensor, "batch channels height width"],
    *,
    cell: int,
    tile: int,
    gap: int,
    shift: int,
) -> tuple[Places, Places]:
    """Draw the tops and lefts of the tiles of a 3x3 grid, one in each cell of `cell` px.

    A tile of `tile` px lies anywhere in its cell that leaves `gap` px to its neighbours; each
    channel of it is moved by 0 to `shift` px more. Tiles are counted row by row.
    """
    batch, channels = like.shape[:2]
    free = cell - tile - gap - shift
    corners = torch.arange(3, device=like.device) * cell + max(BORDER, gap // 2)
    grid = torch.stack(torch.meshgrid(corners, corners, indexing="ij")).view(2, 1, 9, 1)
    place = random_whole(torch.full((2, batch, 9, 1), free, device=like.device))
    moved = random_whole(torch.full((2, batch, 9, channels), shift, device=like.device))
    top, left = grid + place + moved
    return top, left


def random_whole(most: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Draw a whole number from 0 to `most`, both included, for each element."""
    draws = (torch.rand(most.shape, device=most.device) * (most + 1)).long()
    return draws.minimum(most)  # float32 can round a draw up to most + 1


def normalise_patches(patches: Patches) -> Patches:
    """Return each patch with mean 0 in every channel and a root mean square of 1 over all.

    Without it the brightness and colour of two patches tell how far apart they are.
    """
    centred = patches - patches.mean((-2, -1), keepdim=True)
    rms = centred.square().mean((-3, -2, -1), keepdim=True).sqrt()
    return centred / rms.clamp(min=FLAT)


def drop_colours(patches: Patches) -> Patches:
    """Return each patch with one channel, drawn at random, and noise of a grey level in the rest.

    The kept channel has mean 0. The noise is that of Doersch et al.'s code.
    """
    shape, device = patches.shape[:3], patches.device
    kept = torch.rand(shape, device=device).argmax(2, keepdim=True)
    chosen = torch.arange(shape[2], device=device) == kept
    noise = (torch.rand(patches.shape, device=device) - 0.5) / 255
    centred = patches - patches.mean((-2, -1), keepdim=True)
    return torch.where(chosen[..., None, None], centred, noise)


@full_precision
def project_colours(patches: Patches) -> Patches:
    """Return patches of three channels without their green-magenta part, (I - a a' / a'a) x."""
    axis = torch.tensor(GREEN_MAGENTA, device=patches.device)
    part = torch.einsum("bpchw,c->bphw", patches, axis) / axis.square().sum()
    return patches - part[:, :, None] * axis[:, None, None]


def mosaic(tiles: Patches) -> Images:
    """Return the nine tiles of each image as one picture, row by row, with a grey seam."""
    framed = pad(tiles, (1, 1, 1, 1), value=0.5)
    batch, _, channels, side, _ = framed.shape
    rows = framed.view(batch, 3, 3, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(batch, channels, 3 * side, 3 * side)
