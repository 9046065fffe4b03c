"""What methods do with their settings: fit them to a situation, refuse those that cannot work."""

from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.method import Adjustment, Situation
from selfsight.views.presets import UNBLURRED


def fitted_queue(situation: Situation, *, length: int) -> list[Adjustment]:
    """Return the adjustment of `queue`, if `length` does not suit the images and the batch.

    A queue of more than half of the images would often hold an image's own earlier vector. It is
    a multiple of the batch, so that all its rows are equally old.
    """
    batches = max(1, min(length, situation.images // 2) // situation.batch)
    fitted = batches * situation.batch
    if fitted == length:
        return []
    if length <= situation.images // 2:
        reason = f"a whole number of batches of {situation.batch}"
    else:
        reason = f"{length:,} vectors would be more than half of the {situation.images:,} images"
        if fitted > situation.images // 2:
            reason += "; no queue is shorter than a batch"
    return [Adjustment("queue", fitted, reason)]


def fitted_splits(situation: Situation, *, splits: int) -> list[Adjustment]:
    """Return the adjustment of `splits`, if what passes at once gives no such groups of 16."""
    batch = situation.chunk or situation.batch // world_size()
    fitting = [n for n in range(1, splits + 1) if batch % n == 0 and batch >= 16 * n]
    fitted = max(fitting, default=1)
    if fitted == splits:
        return []
    what = "chunk" if situation.chunk else "batch"
    reason = f"a {what} of {batch} gives {fitted} equal groups of 16 or more images"
    return [Adjustment("splits", fitted, reason)]


def slower_teacher(situation: Situation, *, momentum: float) -> list[Adjustment]:
    """Return the adjustment of `momentum` for steps of fewer than the 256 images it is made for.

    momentum^(images / 256) makes the average as long as before, counted in images.
    """
    images = situation.batch * situation.accumulate
    if images >= 256:
        return []
    slower = round(momentum ** (images / 256), 6)
    reason = f"steps of {images} images instead of 256: each moves the slow network less"
    return [Adjustment("momentum", slower, reason)]


def stronger_colour(situation: Situation) -> list[Adjustment]:
    """Return `colour` 1 for images that views blur too: there the paper's ImageNet recipe holds.

    SimCLR (arXiv 2002.05709, appendices A and B.9): strength 1 with blur for ImageNet, 0.5 without
    for CIFAR.
    """
    if situation.image_size <= UNBLURRED:
        return []
    reason = f"images above {UNBLURRED} px get the blur and the colours of ImageNet's recipe"
    return [Adjustment("colour", 1.0, reason)]


def demand_queue_within(situation: Situation, *, length: int) -> None:
    """Raise UserError for a queue of more vectors than there are training images."""
    demand(
        length <= situation.images,
        setting="queue",
        value=length,
        wanted=f"at most {situation.images}, the training images (better half of them), or every "
        "image meets its own earlier views",
    )


def demand(fulfilled: bool, *, setting: str, value: object, wanted: str) -> None:
    """Raise UserError unless `fulfilled`: `setting` has `value` and must be `wanted`."""
    if not fulfilled:
        raise UserError(f"{setting} is {value}; it must be {wanted}")
