"""`selfsight.export`: the encoder in another tool's format."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selfsight.commands.loading import encoder_of

if TYPE_CHECKING:
    from selfsight.nets.encoder import Encoder


def export(
    encoder: "str | Path | Encoder",
    *,
    to: Literal["safetensors", "torchvision", "timm", "onnx"],
    out: str | Path,
) -> list[Path]:
    """Write the encoder in another tool's format, check it there, and return the files written.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.formats import export as export_to

    return export_to(encoder_of(encoder), to=to, out=Path(out))
