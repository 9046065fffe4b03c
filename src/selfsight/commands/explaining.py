"""`selfsight.explain`: where an encoder looks, and whether the maps that say so can be believed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfsight.commands.files import apart, cache_folder
from selfsight.commands.loading import encoder_of

if TYPE_CHECKING:
    import numpy as np
    import torch

    from selfsight.explaining.explanation import Explained
    from selfsight.nets.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `selfsight.explain` found. The files lie in `folder`; `report` is the page among them.

    encoders: the explained one, then the one beside it if there is one; `encoders[0].checked` has
    the maps by name.
    """

    folder: Path
    report: Path
    encoders: "tuple[Explained, ...]"

    def lines(self) -> list[str]:
        """Return one sentence a map, with what the map cost."""
        return [
            (f"{side.name}: " if len(self.encoders) > 1 else "")
            + f"{each.trust.sentence} [{each.seconds:.2g} s an image]"
            for side in self.encoders
            for each in side.checked.values()
        ]


def explain(
    encoder: "str | Path | Encoder",
    images: "str | Path | np.ndarray[Any, Any] | torch.Tensor",
    *,
    out: str | Path,
    toward: Literal["itself", "neighbour", "cluster", "label"] = "itself",
    against: Literal["nothing", "others"] = "nothing",
    maps: str = "auto",
    labels: str = "auto",
    beside: "str | Path | Encoder | None" = None,
    count: int = 8,
    seed: int = 0,
    cache: str = "auto",
    quiet: bool = False,
) -> Explanation:
    """Draw where an encoder looks on some images, test the maps, and write a page about it.

    encoder, beside: a run's directory, an encoder file, or an `Encoder`. images: a folder, the name
    of an image set, or an array [n, channels, height, width] (uint8, or float in [0, 1]). toward:
    what the image is compared with. against: "others" subtracts the mean similarity to other
    images. maps: "auto" or names with commas between. count: images explained, drawn by the seed,
    evenly over the classes.

    Writes report.html, maps.npz and faithfulness.json to `out`. Raises UserError for a mistake in
    the input, in one line.
    """
    from selfsight.display import Display
    from selfsight.explaining.files import write_gallery
    from selfsight.explaining.gallery import Question, check_alike, gallery_of
    from selfsight.explaining.sources import source_of
    from selfsight.reporting.explanation import write_page
    from selfsight.run import vacant

    folder, display = Path(out), Display(quiet=quiet)
    vacant(folder)
    if isinstance(images, (str, Path)):
        apart(str(images), folder)
    encoders = [_named(each) for each in (encoder, beside) if each is not None]
    check_alike(encoders)
    source = source_of(
        str(images) if isinstance(images, Path) else images,
        size=max(network.image_size for _, network in encoders),
        labels=labels,
        cache=cache_folder(cache),
        progress=display.phase,
    )
    question = Question(toward=toward, against=against, maps=maps, count=count, seed=seed)
    found = gallery_of(encoders, source, question, progress=display.phase)
    write_gallery(folder, found)
    return Explanation(folder, write_page(folder), found.explained)


def _named(encoder: "str | Path | Encoder") -> "tuple[str, Encoder]":
    """Return an encoder with what a person calls it: its run or file, and what it is."""
    network = encoder_of(encoder)
    taught = network.notes.get("method") or network.notes.get("training", "")
    kind = ", ".join(word for word in (network.name, taught) if word)
    if isinstance(encoder, (str, Path)):
        return f"{Path(encoder).stem} ({kind})", network
    return kind, network
