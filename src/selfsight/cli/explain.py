"""`selfsight explain`."""

from pathlib import Path
from typing import Annotated, Literal

from selfsight.cli.app import Positional, app


@app.command
def explain(
    encoder: Annotated[Path, Positional],
    /,
    *images: Annotated[str, Positional],
    out: Path,
    toward: Literal["itself", "neighbour", "cluster", "label"] = "itself",
    against: Literal["nothing", "others"] = "nothing",
    maps: str = "auto",
    labels: str = "auto",
    beside: Path | None = None,
    count: int = 8,
    seed: int = 0,
    cache: str = "auto",
    device: str = "auto",
) -> None:
    """Draw where an encoder looks, and test whether the maps tell the truth.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    images
        A folder of images, the name of an image set, or one image file or several.
    out
        New folder for report.html, maps.npz and faithfulness.json. What was stopped goes on with
        the same command, after the last finished map.
    toward
        What speaks for a place: similarity to other views of the image itself, to its nearest
        neighbour, to its cluster's centre, or the probability of its own label by a linear probe.
    against
        others: less the mean similarity to other images, so that only what is particular counts.
    maps
        auto, or some of gradcam,integrated,occlusion,relax,attention.
    labels
        auto: class folders if there are any; none; or a CSV file with columns path,label.
    beside
        Another run or encoder file, drawn beside the first, such as a supervised twin.
    count
        Images of a folder or set to explain, drawn by the seed, evenly over the classes where every
        image has one.
    seed
        Seed of that choice, of random masks, orders and weights.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    device
        Where to compute: auto, cpu, or a device name that torch knows.
    """
    from selfsight.commands.explaining import explain as explain_encoder
    from selfsight.display import print_out

    found = explain_encoder(
        encoder,
        images[0] if len(images) == 1 else images,
        out=out,
        toward=toward,
        against=against,
        maps=maps,
        labels=labels,
        beside=beside,
        count=count,
        seed=seed,
        cache=cache,
        device=device,
    )
    print_out("\n".join(found.lines()))
    print_out(f"page: {found.report}")
