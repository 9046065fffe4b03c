"""`selfsight.explain`: where an encoder looks, and whether the maps that say so can be believed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfsight.commands.files import apart, cache_folder
from selfsight.commands.loading import encoder_of
from selfsight.errors import Interrupted, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import torch

    from selfsight.explaining.explanation import Explained
    from selfsight.explaining.gallery import Question
    from selfsight.explaining.material import Material
    from selfsight.explaining.sources import Source
    from selfsight.nets.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `selfsight.explain` found. The files lie in `folder`; `report` is the page among them.

    encoders: the explained one, then the one beside it if there is one; `encoders[0].checked` has
    the maps by name. cut: a sentence on images of which the encoder saw the central square only.
    """

    folder: Path
    report: Path
    encoders: "tuple[Explained, ...]"
    cut: str

    def lines(self) -> list[str]:
        """Return one sentence a map, with what the map cost, and what was not looked at."""
        told = [
            (f"{side.name}: " if len(self.encoders) > 1 else "")
            + f"{each.trust.sentence} [{each.seconds:.2g} s an image]"
            for side in self.encoders
            for each in side.checked.values()
        ]
        return [*told, self.cut] if self.cut else told


def explain(
    encoder: "str | Path | Encoder",
    images: "str | Path | Sequence[str | Path] | np.ndarray[Any, Any] | torch.Tensor",
    *,
    out: str | Path,
    toward: Literal["itself", "neighbour", "cluster", "label"] = "itself",
    against: Literal["nothing", "others"] = "nothing",
    maps: str = "auto",
    labels: str | Path = "auto",
    beside: "str | Path | Encoder | None" = None,
    count: int = 8,
    seed: int = 0,
    cache: str = "auto",
    device: str = "auto",
    quiet: bool = False,
) -> Explanation:
    """Draw where an encoder looks on some images, test the maps, and write a page about it.

    encoder, beside: a run's directory, an encoder file, or an `Encoder`. images: a folder, the name
    of an image set, an array [n, channels, height, width] (uint8, or float in [0, 1]), or one image
    file or several, which are all explained toward themselves. Of an image that is not square the
    encoder sees the central square. toward: what the image is compared with. against: "others"
    subtracts the mean similarity to other images. maps: "auto" or names with commas between. count:
    images explained of a folder, set or array, drawn by the seed, evenly over the classes if
    every image has one. device: where to compute; the encoders stay there.

    Writes report.html, maps.npz and faithfulness.json to `out`; stopped, it goes on with the same
    arguments after the last finished map. Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.display import Display
    from selfsight.engine import device_named
    from selfsight.explaining.files import write_gallery
    from selfsight.explaining.gallery import (
        Question,
        asked_material,
        check_alike,
        cut_sentence,
        gallery_of,
    )
    from selfsight.kept import Kept
    from selfsight.reporting.explanation import write_page
    from selfsight.settings import check_seed

    check_seed(seed)
    folder = Path(out)
    Kept.check_place(folder)
    if isinstance(images, (str, Path)):
        apart(str(images), folder)
    with Display(quiet=quiet) as display:
        place = str(device_named(device))
        encoders = [_named(each, place) for each in (encoder, beside) if each is not None]
        check_alike(encoders)
        source = _source(
            images,
            size=max(network.image_size for _, network in encoders),
            labels=str(labels),
            cache=cache_folder(cache),
            progress=display.phase,
        )
        question = Question(toward=toward, against=against, maps=maps, count=count, seed=seed)
        material = asked_material(source, question)
        kept = Kept(folder, plan=_plan(encoders, source, material, question))
        if kept.names():
            display.say(f"{len(kept.names())} finished parts are in {folder}; the rest follows")
        try:
            found = gallery_of(
                encoders, source, material, question, progress=display.phase, keep=kept.once
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted with {len(kept.names())} parts of the work in {folder}; "
                "the same command goes on from there"
            ) from None
        write_gallery(folder, found)
        page = write_page(folder)
        kept.clear()
    return Explanation(folder, page, found.explained, cut_sentence(found.material))


def _source(
    images: "str | Path | Sequence[str | Path] | np.ndarray[Any, Any] | torch.Tensor",
    *,
    size: int,
    labels: str,
    cache: Path,
    progress: "Callable[[str, int, int], None]",
) -> "Source":
    """Return where the images come from: files by name, a folder, a named set, or an array."""
    from selfsight.explaining.single_files import files_source
    from selfsight.explaining.sources import source_of

    if isinstance(images, (str, Path)) and Path(images).is_file():
        images = [images]
    if isinstance(images, (list, tuple)):
        if not images:
            raise UserError("no image is given; name a folder, or one image file or several")
        if labels not in ("auto", "none"):
            raise UserError("labels have no effect on single image files; leave --labels out")
        return files_source([Path(each) for each in images], size=size)
    if not isinstance(images, (str, Path)) and labels not in ("auto", "none"):
        raise UserError("labels have no effect on arrays; leave labels out")
    place: Any = str(images) if isinstance(images, Path) else images
    return source_of(place, size=size, labels=labels, cache=cache, progress=progress)


def _plan(
    encoders: "list[tuple[str, Encoder]]",
    source: "Source",
    material: "Material",
    question: "Question",
) -> dict[str, Any]:
    """Return all that the parts of an explanation depend on."""
    from selfsight import __version__
    from selfsight.assessment.folder import fingerprint

    return {
        "selfsight": __version__,
        "weights": [fingerprint(network) for _, network in encoders],
        "images": source.title,
        "image names, labels and pixels": material.fingerprint(),
    } | asdict(question)


def _named(encoder: "str | Path | Encoder", device: str) -> "tuple[str, Encoder]":
    """Return an encoder with what a person calls it: its run or file, and what it is."""
    network = encoder_of(encoder).to(device)
    taught = network.notes.get("method") or network.notes.get("training", "")
    kind = ", ".join(word for word in dict.fromkeys((network.name, taught)) if word)
    if isinstance(encoder, (str, Path)):
        return f"{Path(encoder).stem} ({kind})", network
    return kind, network
