"""The arms: the encoder, and everything that it is held against, as features and as networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsight.assessment.weights import timm_encoder
from selfsight.errors import UserError
from selfsight.evaluation.embed import Encode, encoder_function
from selfsight.evaluation.finetune import FINE_TUNING, FROM_SCRATCH, Manner
from selfsight.evaluation.pixels import pixel_features
from selfsight.formats import load_encoder
from selfsight.measure import untrained
from selfsight.nets.encoder import Encoder
from selfsight.nets.networks import begins


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to classify images with few labels.

    size: of the images that it sees, in px. encode: its frozen features, or None if it has none.
    network: by seed, what is trained with labels, or None if nothing is; manner: as in `finetune`.
    """

    name: str
    about: str
    size: int
    encode: Encode | None
    network: Callable[[int], Encoder] | None
    manner: Manner = FINE_TUNING

    def protocols(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Return those of the protocols that this arm can be measured by."""
        if self.manner == FROM_SCRATCH:
            return ("scratch",)
        frozen = self.encode is not None
        return tuple(
            name for name in asked if (self.network is not None if name == "finetune" else frozen)
        )


def arms_for(encoder: Encoder, *, against: Sequence[str], seed: int, device: str) -> dict[str, Arm]:
    """Return the arms by name, the encoder first.

    Raises UserError for a file that is no encoder and weights that are not on this disk.
    """
    size = encoder.image_size
    arms = {"encoder": _trained("encoder", "the encoder that is assessed", encoder, device)}
    for word in against:
        if word == "scratch":
            what = "its linear layer, on random patches," if begins(encoder.name) else "all layers"
            arm = Arm(
                "scratch",
                f"the same network, {what} trained with the labels from random weights",
                size,
                None,
                lambda number: untrained(encoder, seed=number),
                FROM_SCRATCH,
            )
        elif word == "random":
            encode = encoder_function(untrained(encoder, seed=seed), device)
            arm = Arm("untrained", "the same network with random weights", size, encode, None)
        elif word == "pixels":
            arm = Arm("pixels", "raw pixels, no network", size, pixel_features, None)
        elif word.startswith("timm:"):
            network = timm_encoder(word.removeprefix("timm:"))
            arm = _trained(word, f"timm's weights, at {network.image_size} px", network, device)
        else:
            network = _loaded(word)
            arm = _trained(_free(Path(word).stem, arms), f"the encoder in {word}", network, device)
        arms[arm.name] = arm
    return arms


def _trained(name: str, about: str, encoder: Encoder, device: str) -> Arm:
    encode = encoder_function(encoder, device)
    return Arm(name, about, encoder.image_size, encode, lambda _: encoder)


def _loaded(word: str) -> Encoder:
    if not Path(word).is_file():
        raise UserError(f"against {word!r}: there is no such file")
    return load_encoder(word)


def _free(name: str, arms: dict[str, Arm]) -> str:
    taken = {*arms, "scratch", "untrained", "pixels"}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
