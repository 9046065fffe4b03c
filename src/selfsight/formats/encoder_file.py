"""Selfsight's own encoder file: safetensors, with a description that rebuilds the network.

The file's metadata has one entry, "selfsight", a JSON object: `format` (1), `tool` (name and
version of the writer), `config` (the arguments of `build_encoder`, pixel statistics among them),
`dim` (features an image) and `notes` (free text by name). The tensors are the encoder's state.
Nothing in it is code: safetensors holds numbers, and the description is checked word by word.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from selfsight.errors import UserError, one_line, reaching
from selfsight.nets.encoder import Encoder, build_encoder

FORMAT = 1


def save_encoder(encoder: Encoder, path: Path, *, notes: Mapping[str, str]) -> None:
    """Write `encoder` to `path` (.safetensors), replacing a file that is there.

    notes: what a reader should know, such as the method and the number of images. The file
    appears whole or not at all. Raises UserError if the place cannot be written.
    """
    content = encoder_bytes(encoder, notes=notes)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with reaching(path, to="write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def encoder_bytes(encoder: Encoder, *, notes: Mapping[str, str]) -> bytes:
    """Return the content of the file that `save_encoder` writes."""
    from safetensors.torch import save

    from selfsight import __version__

    description = {
        "format": FORMAT,
        "tool": f"selfsight {__version__}",
        "config": encoder.config,
        "dim": encoder.dim,
        "notes": dict(notes),
    }
    weights = plain_tensors(encoder.state_dict())
    content: bytes = save(weights, {"format": "pt", "selfsight": json.dumps(description)})
    return content


def load_encoder(path: str | Path) -> Encoder:
    """Return the encoder of a file that `save_encoder` wrote, on the CPU, with its notes.

    torch's random state is as before. Raises UserError for a file that is missing, broken, not
    one of selfsight's encoders, or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            description = _parse((file.metadata() or {}).get("selfsight", ""), path=Path(path))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as fault:
        raise UserError(f"{path} cannot be read as an encoder file: {one_line(fault)}") from fault
    with torch.random.fork_rng(devices=[]):  # the random weights are overwritten at once
        encoder = build_encoder(**description["config"])
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as fault:
        raise _broken(
            Path(path), "its weights do not fit its description, or another version wrote it"
        ) from fault
    encoder.notes = description["notes"]
    return encoder


def plain_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors on the CPU, contiguous, without history: as file formats want them."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def _parse(text: str, *, path: Path) -> dict[str, Any]:
    """Return the description after checking the type of every value in it."""
    if not text:
        raise UserError(f"{path} holds weights, but not of an encoder that selfsight wrote")
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        raise _broken(path, "its description is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise _broken(path, "its description has no format number")
    if found["format"] > FORMAT:
        raise UserError(
            f"{path} has format {found['format']} and this selfsight reads up to {FORMAT}; "
            "update selfsight"
        )
    config, notes = found.get("config"), found.get("notes")
    if not (isinstance(notes, dict) and all(isinstance(value, str) for value in notes.values())):
        raise _broken(path, "its notes are not text")
    kinds = {"name": str, "image_size": int, "channels": int, "stem": str}
    if not isinstance(config, dict) or set(config) != {*kinds, "mean", "std"}:
        raise _broken(path, "its description does not say how to build the network")
    for key, kind in kinds.items():
        if type(config[key]) is not kind:
            raise _broken(path, f"{key} is {config[key]!r}")
    for key in ("mean", "std"):
        if not _is_numbers(config[key]):
            raise _broken(path, f"{key} is {config[key]!r}")
    return found


def _is_numbers(value: object) -> TypeGuard[list[float]]:
    return isinstance(value, list) and all(type(number) in (float, int) for number in value)


def _broken(path: Path, why: str) -> UserError:
    return UserError(f"{path} is a broken encoder file: {why}; export it again")
