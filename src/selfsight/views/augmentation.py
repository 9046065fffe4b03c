"""One random view per image of a batch: crop, flips, blur, colour, solarisation, in this order.

Papers blur after the colours. Since the colour map is affine and a blur keeps constants, the order
matters only where colours are clamped and, by the image border, to the mean that contrast uses.
"""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from selfsight.errors import UserError
from selfsight.views.colour import adjust_tone, random_factors, recolour
from selfsight.views.filters import blur_kernel, gaussian_blur, solarise
from selfsight.views.geometry import can_shrink, random_boxes, resized_crop

Images: TypeAlias = (
    UInt8[Tensor, "batch channels height width"] | Float[Tensor, "batch channels height width"]
)
Views: TypeAlias = list[Float[Tensor, "batch channels _h _w"]]
TOGETHER = 2**22  # values of views that are made at once: 16 MiB, and what lies between is as much


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One random view of each image: a square of `size` pixels, values in [0, 1].

    `flip`, `vertical_flip`, `jitter`, `grey`, `blur` and `solarise` are probabilities per sample.
    `area` is the crop's range of shares of the image, `aspect` its range of width / height.
    Brightness, contrast and saturation factors are uniform in 1 ± strength, the hue shift within
    ± `hue` full turns. `sigma` is the blur's range in pixels of the view.
    """

    size: int
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    vertical_flip: float = 0.0
    jitter: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 2:
            raise UserError(f"views of {self.size} pixels are too small: choose 2 or more")
        for name in ("flip", "vertical_flip", "jitter", "grey", "blur", "solarise"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"{name} = {getattr(self, name)} is a probability: choose one from 0 to 1"
                )
        for name in ("brightness", "contrast", "saturation", "hue"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} = {getattr(self, name)} is negative: choose 0 or more")
            if getattr(self, name) > 0 and self.jitter == 0:
                raise UserError(f"{name} = {getattr(self, name)} has no effect: jitter is 0")
        for name, most in (("area", 1.0), ("aspect", torch.inf), ("sigma", torch.inf)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise UserError(
                    f"{name} = ({low}, {high}) is not a range: choose 0 < low <= high <= {most}"
                )

    def __call__(self, images: Images) -> Float[Tensor, "batch channels _size _size"]:
        """Return one view of each image; uint8 images are taken as 0..255, others as [0, 1].

        Raises UserError for images without three channels when there are hues to change; then only
        brightness and contrast can be jittered.
        """
        return self.several(images, views=1)[0]

    def several(self, images: Images, *, views: int) -> Views:
        """Return so many independent views of each image, small ones drawn and made together."""
        values = images.shape[0] * images.shape[1] * self.size**2
        at_once = max(1, TOGETHER // max(1, values))
        made: Views = []
        # pixels are data: a training loop's half precision would round them to 8 bits or fewer
        with torch.autocast(images.device.type, enabled=False):
            images = unit_range(images)
            while len(made) < views:
                count = min(at_once, views - len(made))
                made += self._views(images, count).chunk(count)
        return made

    def _views(
        self, images: Float[Tensor, "batch channels height width"], views: int
    ) -> Float[Tensor, "views_batch channels _size _size"]:
        height, width = images.shape[2:]
        boxes = random_boxes(images, area=self.area, aspect=self.aspect, boxes=views)
        crops = resized_crop(
            images,
            boxes,
            size=self.size,
            mirrored=_chosen(boxes.top, self.flip),
            overturned=_chosen(boxes.top, self.vertical_flip),
            antialias=can_shrink(
                height=height, width=width, area=self.area, aspect=self.aspect, size=self.size
            ),
        )
        crops = self._recoloured(self._blurred(crops)).clamp_(0, 1)
        return solarise(crops, _chosen(crops, self.solarise)) if self.solarise > 0 else crops

    def _blurred(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        if self.blur == 0:
            return images
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand(len(images), device=images.device)
        kernel = blur_kernel(self.size)
        if self.blur == 1:
            return gaussian_blur(images, sigma, kernel=kernel)
        some = _chosen(images, self.blur).nonzero()[:, 0]
        if len(some) > 0:
            images[some] = gaussian_blur(images[some], sigma[some], kernel=kernel)
        return images

    def _recoloured(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        if self.jitter == 0 and self.grey == 0:
            return images
        jittered = _chosen(images, self.jitter)
        brightness = random_factors(images, strength=self.brightness).where(jittered, 1.0)
        contrast = random_factors(images, strength=self.contrast).where(jittered, 1.0)
        if images.shape[1] != 3:
            if self.saturation > 0 or self.hue > 0 or self.grey > 0:
                raise UserError(
                    f"images with {images.shape[1]} channels have no hues: "
                    "set saturation, hue and grey to 0"
                )
            return adjust_tone(images, brightness=brightness, contrast=contrast)
        saturation = random_factors(images, strength=self.saturation).where(jittered, 1.0)
        shift = torch.rand(len(images), device=images.device).mul_(2).sub_(1).mul_(self.hue)
        return recolour(
            images,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation * ~_chosen(images, self.grey),
            hue=shift * jittered,
        )


def unit_range(images: Images) -> Float[Tensor, "batch channels height width"]:
    """Return images as float32 in [0, 1]: uint8 divided by 255, floats as they are."""
    if images.dtype == torch.uint8:
        return images.float().mul_(1 / 255)
    return images.float()


def _chosen(like: Tensor, probability: float) -> Bool[Tensor, "batch"]:
    """Draw which samples an operation of this probability is applied to."""
    return torch.rand(len(like), device=like.device) < probability
