"""`selfsight.load`: the encoder of a run or of a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.errors import UserError, reaching

if TYPE_CHECKING:
    from selfsight.nets.encoder import Encoder


def load(path: str | Path) -> "Encoder":
    """Return the encoder of a run's directory or of an encoder file (.safetensors).

    Raises UserError if there is none.
    """
    from selfsight.formats import load_encoder
    from selfsight.run import Run

    place = Path(path)
    with reaching(place):
        folder, there = place.is_dir(), place.exists()
    if folder:
        return Run.open(place).encoder
    if not there:
        raise UserError(f"{place} does not exist; give a run's directory or an encoder file")
    return load_encoder(place)


def encoder_of(encoder: "str | Path | Encoder") -> "Encoder":
    """Return an encoder that is given as such, or as the place where it lies."""
    return load(encoder) if isinstance(encoder, (str, Path)) else encoder
