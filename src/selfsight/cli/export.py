"""`selfsight export`."""

from pathlib import Path
from typing import Annotated, Literal

from selfsight.cli.app import Positional, app


@app.command
def export(
    encoder: Annotated[Path, Positional],
    /,
    *,
    to: Literal["safetensors", "torchvision", "timm", "onnx"],
    out: Path,
) -> None:
    """Write the encoder in another tool's format and check it there.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    to
        The format.
    out
        The file to write; it must be new.
    """
    from selfsight.commands.exporting import export as export_encoder
    from selfsight.display import print_out

    for path in export_encoder(encoder, to=to, out=out):
        print_out(f"written: {path}")
