"""Whole augmentations: SimCLR's, BYOL's pair, the light one of pretext tasks, and multi-crop.

An augmentation makes one random view of every image of a batch; `EachOf` makes several.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from selfsight.views.augmentation import Augmentation, Images, Views, unit_range

__all__ = [
    "UNBLURRED",
    "Augmentation",
    "EachOf",
    "Images",
    "Views",
    "byol_pair",
    "light",
    "mild",
    "multi_crop",
    "one_view",
    "simclr",
    "two_views",
]

UNBLURRED = 64  # px; up to here no recipe blurs, as SimCLR does not on CIFAR


@dataclass(frozen=True, slots=True)
class EachOf:
    """One view per augmentation, in their order."""

    augmentations: tuple[Augmentation, ...]

    def __call__(self, images: Images) -> Views:
        """Return the views of a batch."""
        images = unit_range(images)  # once for all views
        return [
            view
            for augmentation, equals in groupby(self.augmentations)
            for view in augmentation.several(images, views=len(list(equals)))
        ]


def one_view(augmentation: Augmentation) -> EachOf:
    """Return what makes a single view."""
    return EachOf((augmentation,))


def two_views(augmentation: Augmentation) -> EachOf:
    """Return what makes two independent views with one augmentation."""
    return EachOf((augmentation, augmentation))


def light(size: int) -> Augmentation:
    """Return crop and flip only, for pretext tasks that colour or blur would disturb."""
    return Augmentation(size, area=(0.2, 1.0))


def simclr(
    size: int, *, strength: float = 0.5, blur: float | Literal["auto"] = "auto"
) -> Augmentation:
    """Return SimCLR's augmentation (Chen et al., 2020, appendix A).

    The paper's colour strength is 1 for ImageNet and 0.5 for CIFAR. It blurs every other view but
    not on CIFAR: "auto" blurs above 64 pixels.
    """
    return Augmentation(
        size,
        jitter=0.8,
        brightness=0.8 * strength,
        contrast=0.8 * strength,
        saturation=0.8 * strength,
        hue=0.2 * strength,
        grey=0.2,
        blur=_blur(0.5, size) if blur == "auto" else blur,
    )


def byol_pair(
    size: int, *, area: tuple[float, float] = (0.08, 1.0)
) -> tuple[Augmentation, Augmentation]:
    """Return BYOL's two augmentations (Grill et al., 2020, appendix B).

    The first always blurs; the second seldom does, and solarises now and then. Up to 64 pixels
    neither blurs.
    """
    return _byol(size, area=area, blur=1.0), _byol(size, area=area, blur=0.1, solarise=0.2)


def mild(size: int) -> Augmentation:
    """Return BYOL's colours on crops of three tenths and more, never blurred."""
    return _byol(size, area=(0.3, 1.0), blur=0.0)


def multi_crop(
    size: int, *, local_size: int, local_views: int, division: float = 0.4
) -> tuple[Augmentation, ...]:
    """Return DINO's augmentations: two large views, then `local_views` small ones.

    Large views cover at least the share `division` of the image, small ones between 0.05 and
    `division` (Caron et al., 2021).
    """
    large, small = (division, 1.0), (0.05, division)
    local = _byol(local_size, area=small, blur=0.5)
    return (*byol_pair(size, area=large), *(local for _ in range(local_views)))


def _byol(
    size: int, *, area: tuple[float, float], blur: float, solarise: float = 0.0
) -> Augmentation:
    return Augmentation(
        size,
        area=area,
        jitter=0.8,
        brightness=0.4,
        contrast=0.4,
        saturation=0.2,
        hue=0.1,
        grey=0.2,
        blur=_blur(blur, size),
        solarise=solarise,
    )


def _blur(probability: float, size: int) -> float:
    return probability if size > UNBLURRED else 0.0
