"""`selfsight.embed`: the features of many images as a table."""

from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.files import cache_folder, check_place
from selfsight.commands.loading import encoder_of

if TYPE_CHECKING:
    from selfsight.nets.encoder import Encoder


def embed(
    encoder: "str | Path | Encoder",
    images: str | Path,
    *,
    out: str | Path,
    labels: str | Path = "auto",
    cache: str | Path = "auto",
    device: str = "auto",
    quiet: bool = False,
) -> Path:
    """Write the features of every readable image to `out` and return its path.

    A .parquet file has the columns path, label and feature (a fixed-size list of float32); a .npz
    file has arrays of those names (plural).

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.data.images import open_images
    from selfsight.display import Display
    from selfsight.engine import device_named
    from selfsight.evaluation.embed import embed as features_of
    from selfsight.evaluation.embed import encoder_function
    from selfsight.table import check_table, write_table

    target = Path(out)
    check_table(target)
    check_place(target)
    place = device_named(device)
    network = encoder_of(encoder)
    with Display(quiet=quiet) as display:
        found = open_images(
            str(images),
            size=network.image_size,
            labels=str(labels),
            cache=cache_folder(cache),
            progress=display.phase,
        )
        embeddings = features_of(
            encoder_function(network, str(place)), found, progress=display.phase
        )
    write_table(target, embeddings, found)
    return target
