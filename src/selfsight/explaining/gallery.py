"""From encoders and images to everything that the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.explaining.aims import Toward, find_aim, foil_of
from selfsight.explaining.bank import Progress
from selfsight.explaining.explanation import Explained, explain_images
from selfsight.explaining.faithfulness import agreement
from selfsight.explaining.keeping import Keep, made_now
from selfsight.explaining.makers import IGNORES_TARGET, maker_of, map_names
from selfsight.explaining.material import Material, material_of
from selfsight.explaining.shared import Shared, shared_with_neighbours
from selfsight.explaining.sources import Source
from selfsight.nets.encoder import Encoder

ROLES = ("encoder", "beside")
Against = Literal["nothing", "others"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of an encoder. maps: "auto", or names with commas between."""

    toward: Toward = "itself"
    against: Against = "nothing"
    maps: str = "auto"
    count: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Gallery:
    """Explained images. shared: None where there is no other image, or no map toward one.

    explained: of the first encoder, and of the one beside it if there is one. agreed: then the rank
    correlation of their maps, by kind, image by image.
    """

    explained: tuple[Explained, ...]
    material: Material
    shared: Shared | None
    agreed: Mapping[str, Float[np.ndarray, "images"]]
    about: Mapping[str, object]  # what was asked, for the protocol


def asked_material(source: Source, question: Question) -> Material:
    """Return the images that a question is about. Raises UserError where they cannot answer it."""
    _check_others(question, source)
    material = material_of(
        source,
        count=len(source) if source.alone else question.count,
        with_label=question.toward == "label",
        seed=question.seed,
    )
    if question.against == "others" and not len(material.foil):
        raise UserError(
            "against others needs images besides the explained ones, and there are none; explain "
            "fewer (count), or leave --against out"
        )
    return material


def gallery_of(
    encoders: Sequence[tuple[str, Encoder]],
    source: Source,
    material: Material,
    question: Question,
    *,
    progress: Progress,
    keep: Keep = made_now,
) -> Gallery:
    """Return what the encoders, each with a name for people, look at in the material's images.

    What the images are compared with is found by the first encoder. keep: see `keeping`. Raises
    UserError for a question that these encoders or images cannot answer.
    """
    first = encoders[0][1]
    kinds = map_names(question.maps, [encoder for _, encoder in encoders])
    bank, rows = material.bank, material.rows
    features = bank.features(first, bank.every, progress=progress)
    aim = find_aim(
        question.toward,
        images=bank.fitted(first, rows),
        rows=rows,
        bank=bank,
        features=features,
        foil=material.foil if question.against == "others" else material.foil[:0],
        seed=question.seed,
    )
    explained = tuple(
        explain_images(
            encoder,
            bank.fitted(encoder, rows),
            aim,
            name=name,
            maps=kinds,
            seed=question.seed,
            progress=progress,
            role=role,
            keep=keep,
        )
        for role, (name, encoder) in zip(ROLES, encoders, strict=False)
    )
    aimed = [kind for kind in kinds if kind not in IGNORES_TARGET]
    shared = None
    if aimed and len(bank) > 1:
        shared = shared_with_neighbours(
            first,
            explained[0].seen,
            rows=rows,
            bank=bank,
            features=features,
            foil=foil_of(first, bank, material.foil),
            maker=maker_of(aimed[0], seed=question.seed),
            keep=keep,
        )
    about = _about(question, source, material) | {"map toward neighbours": (aimed or [""])[0]}
    return Gallery(explained, material, shared, agreed(explained), about)


def cut_sentence(material: Material) -> str:
    """Return how many of the explained images lost their ends to the central square; "" if none."""
    cut = sum(not each.square for each in material.pictures)
    if not cut:
        return ""
    total = len(material.pictures)
    which = "The image is" if total == 1 else f"{cut} of {total} images are"
    return (
        f"{which} not square: the encoder saw the central square, and nothing is said of the rest."
    )


def agreed(explained: Sequence[Explained]) -> dict[str, Float[np.ndarray, "images"]]:
    """Return the rank correlation of two encoders' maps, by kind, image by image; {} for one.

    Maps of different sizes are compared at the first one's.
    """
    if len(explained) < 2:
        return {}
    first, other = explained
    found = {}
    for kind, each in first.checked.items():
        size = each.maps.values.shape[1:]
        theirs = F.interpolate(other.checked[kind].maps.values[:, None], size, mode="bilinear")
        found[kind] = agreement(each.maps, replace(other.checked[kind].maps, values=theirs[:, 0]))
    return found


def _check_others(question: Question, source: Source) -> None:
    """Raise UserError if other images are asked for where there are none, or in vain."""
    if question.toward == "label" and question.against == "others":
        raise UserError(
            "against others has no effect toward a label, where classes compete already; leave "
            "--against out"
        )
    if source.alone and question.toward != "itself":
        raise UserError(
            f"toward {question.toward} needs a folder of other images to compare with, and single "
            "files have none; give the folder, or --toward itself"
        )
    if source.alone and question.against == "others":
        raise UserError(
            "against others needs a folder of other images, and single files have none; give the "
            "folder, or --against nothing"
        )


def check_alike(encoders: Sequence[tuple[str, Encoder]]) -> None:
    """Raise UserError if the encoders do not take the same images."""
    channels = {encoder.channels for _, encoder in encoders}
    if len(channels) > 1:
        told = ", ".join(f"{name}: {encoder.channels}" for name, encoder in encoders)
        raise UserError(f"the encoders take images of different channels ({told})")


def _subtracted(question: Question, material: Material) -> str:
    """Return what is subtracted from similarities, in the maps and in what neighbours share."""
    if not len(material.foil):
        return "nothing: there are no other images"
    told = f"the mean similarity to {len(material.foil)} other images"
    return told if question.against == "others" else f"{told}, only in what neighbours share"


def _about(question: Question, source: Source, material: Material) -> dict[str, object]:
    evenly = question.toward == "label" or bool((source.labels >= 0).all())
    shown, others = len(material.rows), len(material.bank) - len(material.rows)
    return {
        "source": source.title,
        "explained images": f"{shown}, all that were given"
        if source.alone
        else f"{shown} of {len(source):,}, drawn by the seed"
        + (", evenly over the classes" if evenly else ""),
        "not square": cut_sentence(material) or "none",
        "other images": f"{others:,}, for neighbours, clusters, probes and what is subtracted",
        "subtracted": _subtracted(question, material),
        "toward": question.toward,
        "against": question.against,
        "seed": question.seed,
    }
