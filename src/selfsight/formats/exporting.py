"""Exports: the encoder in the format of another tool, proven there before it is handed over.

    safetensors   selfsight's own file (.safetensors)
    torchvision   weights of a plain torchvision ResNet (.safetensors, .pth)
    timm          weights of a plain timm model (.safetensors, .pth)
    onnx          one self-contained graph, pixel statistics inside, any batch size (.onnx)

Beside each lies `use_<name>.py`, which says how to use the file without selfsight and has been run.
"""

import copy
import io
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import torch
from torch import nn

from selfsight.errors import UserError, reaching
from selfsight.formats.encoder_file import encoder_bytes, load_encoder, plain_tensors
from selfsight.formats.proof import agree, prove, sample
from selfsight.formats.recipes import onnx_recipe, own_recipe, timm_recipe, torchvision_recipe
from selfsight.nets.catalogue import timm_arguments
from selfsight.nets.encoder import Encoder
from selfsight.nets.networks import OURS

Target = Literal["safetensors", "torchvision", "timm", "onnx"]
SUFFIXES = {
    "safetensors": (".safetensors",),
    "torchvision": (".safetensors", ".pth"),
    "timm": (".safetensors", ".pth"),
    "onnx": (".onnx",),
}
TORCHVISION_TWINS = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "wide_resnet50_2",
    "wide_resnet101_2",
)


def export(encoder: Encoder, *, to: Target, out: Path) -> list[Path]:
    """Write `encoder` in the format `to`, check that it works there, and return the files.

    out: the file to write; its ending must suit the format. Files that exist are left alone.
    Raises UserError for an encoder that the format cannot hold and for a place that cannot be
    written, RuntimeError when the written file does not give the encoder's features.
    """
    if to not in get_args(Target):
        raise UserError(f"no export format {to!r}; there are: {', '.join(get_args(Target))}")
    if out.suffix not in SUFFIXES[to]:
        raise UserError(f"{out} must end in {' or '.join(SUFFIXES[to])} for the format {to}")
    ours = copy.deepcopy(encoder).cpu().float().eval()
    out_files = [out, out.with_name(f"use_{out.stem}.py")]
    for file in out_files:
        if file.exists():
            raise UserError(f"{file} exists; remove it or choose another name")
    with reaching(out, to="write"):
        out.parent.mkdir(parents=True, exist_ok=True)
        # On the same disc, so that what is proven there can be moved and not copied.
        workshop = TemporaryDirectory(dir=out.parent, prefix=".export-")
    with reaching(out, to="write"), workshop as folder:
        parts = [Path(folder, file.name) for file in out_files]
        _WRITERS[to](ours, *parts)
        for part, file in zip(parts, out_files, strict=True):
            part.replace(file)
    return out_files


def _safetensors(encoder: Encoder, file: Path, recipe: Path) -> None:
    file.write_bytes(encoder_bytes(encoder, notes=encoder.notes))
    images = sample(encoder)
    agree(load_encoder(file).encode(images).numpy(), encoder.encode(images).numpy())
    arguments = None if encoder.name in OURS else _arguments(encoder)
    recipe.write_text(own_recipe(encoder, arguments=arguments, file=file.name), encoding="utf-8")
    prove(recipe, encoder)


def _torchvision(encoder: Encoder, file: Path, recipe: Path) -> None:
    if encoder.name not in TORCHVISION_TWINS:
        raise UserError(
            f"torchvision has no twin of encoder {encoder.name!r}; "
            f"these can go there: {', '.join(TORCHVISION_TWINS)}"
        )
    _write_weights(encoder.network, file)
    recipe.write_text(torchvision_recipe(encoder, file=file.name), encoding="utf-8")
    prove(recipe, encoder)


def _timm(encoder: Encoder, file: Path, recipe: Path) -> None:
    if encoder.name in OURS:
        raise UserError(
            f"encoder {encoder.name!r} is not one of timm's; export it to safetensors or onnx"
        )
    arguments = _arguments(encoder)
    _write_weights(encoder.network, file)
    recipe.write_text(timm_recipe(encoder, arguments=arguments, file=file.name), encoding="utf-8")
    prove(recipe, encoder)


def _onnx(encoder: Encoder, file: Path, recipe: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} not installed; run: pip install 'selfsight[onnx]'")
    with warnings.catch_warnings():
        for old in (DeprecationWarning, FutureWarning):  # between torch and onnxscript
            warnings.simplefilter("ignore", old)
        torch.onnx.export(
            encoder,
            (sample(encoder),),
            file,
            dynamo=True,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )
    recipe.write_text(onnx_recipe(encoder, file=file.name), encoding="utf-8")
    prove(recipe, encoder)


def _arguments(encoder: Encoder) -> dict[str, object]:
    return timm_arguments(encoder.name, image_size=encoder.image_size, channels=encoder.channels)


def _write_weights(network: nn.Module, file: Path) -> None:
    from safetensors.torch import save

    weights = plain_tensors(network.state_dict())
    if file.suffix == ".safetensors":
        file.write_bytes(save(weights, {"format": "pt"}))
    else:
        content = io.BytesIO()  # torch hides a full disk behind an error of its own
        torch.save(weights, content)
        file.write_bytes(content.getbuffer())


_WRITERS: Mapping[str, Callable[..., None]] = {
    "safetensors": _safetensors,
    "torchvision": _torchvision,
    "timm": _timm,
    "onnx": _onnx,
}
