"""`selfsight embed`."""

from pathlib import Path
from typing import Annotated

from selfsight.cli.app import Positional, app


@app.command
def embed(
    encoder: Annotated[Path, Positional],
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    labels: str = "auto",
    cache: str = "auto",
    device: str = "auto",
) -> None:
    """Write the features of every image to a table.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    images
        A folder of images, or the name of an image set.
    out
        The table: .parquet or .npz.
    labels
        auto: class folders if there are any; none; or a CSV file with columns path,label.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    device
        Where to compute: auto, cpu, or a device name that torch knows.
    """
    from selfsight.commands.embedding import embed as embed_images
    from selfsight.display import print_out

    table = embed_images(encoder, images, out=out, labels=labels, cache=cache, device=device)
    print_out(f"features: {table}")
