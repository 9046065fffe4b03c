"""Masked autoencoder (MAE): three quarters of an image's patches are hidden and must be drawn.

He, Chen, Xie, Li, Dollar, Girshick: Masked Autoencoders Are Scalable Vision Learners, CVPR 2022
(arXiv 2111.06377). The encoder sees the visible patches only; a small decoder gets their tokens and
a learned token in every other place. The loss is the mean squared error of the hidden patches,
each standardised by its own mean and variance.
"""

from dataclasses import replace
from math import isqrt
from typing import Annotated

from jaxtyping import Bool, Float
from torch import Tensor

from selfsight.errors import UserError
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.masked_vit import (
    PatchDecoder,
    encode_visible,
    fix_positions,
    masked,
    patchify,
    random_order,
)
from selfsight.precision import full_precision
from selfsight.ranges import Count, Range, Share
from selfsight.views.presets import light, one_view


@full_precision
def masked_patch_loss(
    predicted: Float[Tensor, "batch patches values"],
    images: Float[Tensor, "batch channels side side"],
    mask: Bool[Tensor, "batch patches"],
    *,
    patch_size: int,
    normalise: bool,
) -> Float[Tensor, ""]:
    """Return the mean squared error over the masked patches of the batch.

    normalise: standardise each patch by the mean and the unbiased variance (plus 1e-6) of its n
    values, all channels together; predicting 0 then costs (n - 1) / n.
    """
    target = patchify(images, patch_size=patch_size)
    if normalise:
        mean, variance = target.mean(2, keepdim=True), target.var(2, keepdim=True)
        target = (target - mean) / (variance + 1e-6).sqrt()
    errors = (predicted - target).square().mean(2)
    return (errors * mask).sum() / mask.sum()


class MAE(Method):
    """Reconstruction that works: with this much missing, drawing needs understanding."""

    card = Card(
        idea="An image is cut into patches and three quarters of them are hidden. A vision "
        "transformer sees the rest, and a small decoder must draw what is hidden. So much is "
        "missing that smearing neighbours is not enough; and since the transformer only sees a "
        "quarter, a step is cheap.",
        paper="He, Chen, Xie, Li, Dollar, Girshick: Masked Autoencoders Are Scalable Vision "
        "Learners, CVPR 2022, arXiv 2111.06377",
        deviations="The decoder is 128 wide and 2 blocks deep instead of 512 and 8, for small "
        "images and processors. The encoder keeps timm's first weights. The exported features are "
        "the class token's, as in the paper's linear probe. Bilinear crops.",
        choices="The variance of a patch is the unbiased one, so predicting 0 costs (n - 1) / n. "
        "The paper's linear probe normalises features with batch norm; the probe here "
        "standardises them too. AdamW has torch's second momentum, 0.999 (paper: 0.95), and a rate "
        "of 1e-3 (paper: 1.5e-4 at batch 256).",
        fails="It needs long training, and even then neighbours and linear probes read little "
        "from it: fine-tune it to see its worth. A loss that stays near 1 while positions are "
        "right means that nothing is learned; it rarely collapses.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=0.05)
    vectors_tell = False
    smallest_encoder = "vit_tiny"

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: Annotated[
            float, Range(above=0.0, below=1.0), "share of the patches that is hidden; paper 0.75"
        ] = 0.75,
        normalise: Annotated[bool, "standardise each patch before comparing; paper: yes"] = True,
        width: Annotated[Count, "width of the decoder; paper 512"] = 128,
        depth: Annotated[Count, "blocks of the decoder; paper 8"] = 2,
        heads: Annotated[Count, "attention heads of the decoder; paper 16"] = 4,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.2"] = 0.2,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.patch, dim = fix_positions(encoder, method="mae")
        self.patches = (encoder.image_size // self.patch) ** 2
        self.values = encoder.channels * self.patch**2
        self.visible = int(self.patches * (1 - hidden))
        if not 0 < self.visible < self.patches:
            shown = f"shows {self.visible} of {self.patches} patches"
            raise UserError(f"hidden = {hidden} {shown}; choose a share nearer to 0.75")
        if width % heads or width % 4:
            raise UserError(f"width = {width} must divide by 4 and by heads = {heads}")
        self.normalise = normalise
        self.decoder = PatchDecoder(
            dim, patches=self.patches, values=self.values, width=width, depth=depth, heads=heads
        )
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the error of the hidden patches, in a new random order for every image."""
        (images,) = views
        order = random_order(len(images), self.patches, device=images.device)
        tokens = encode_visible(self.encoder, images, order[:, : self.visible])
        # every image has equally many hidden patches: the mean of processes' means is the mean
        loss = masked_patch_loss(
            self.decoder(tokens, order),
            self.encoder.normalise(images),
            masked(order, visible=self.visible),
            patch_size=self.patch,
            normalise=self.normalise,
        )
        return Step(loss, watched=tokens[:, 0], logs={})

    def pictured(self, views: Views) -> Views:
        """Return the images with their hidden patches in grey, and the whole ones."""
        (images,) = views
        order = random_order(len(images), self.patches, device=images.device)
        across = isqrt(self.patches)
        hidden = masked(order, visible=self.visible).view(-1, across, across)
        hidden = hidden.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2)
        return [images.where(~hidden[:, None], 0.5), images]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return the cost of predicting 0: (n - 1) / n for standardised patches of n values."""
        return (self.values - 1) / self.values if self.normalise else 1.0

    def collapsed(self, batch: int) -> float:
        """Return the same: equal outputs, at best the mean patch, which is 0."""
        return self.knows_nothing(batch)
