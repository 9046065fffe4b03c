"""The Python file beside an export: how to use it without selfsight.

It is complete and runs as it stands; `proof` runs it before the user ever sees it. Text that comes
from outside (names, notes) enters it only through `ascii()`, which leaves no way out of a comment
or a string.
"""

from textwrap import dedent

from torch import nn

from selfsight.formats.spelled import spelled
from selfsight.nets.encoder import Encoder

HEADER = """\
# How to use {file} without selfsight: run this file, or copy what you need.
#
# encode() takes images [batch, {channels}, {size}, {size}], float32 in [0, 1] (a pixel's byte
# divided by 255), and returns {dim} features an image. For an image of another size, scale it
# (bilinear, antialiased) until the shorter side is {size} px and cut out the centre.
# {pixels}
"""


def torchvision_recipe(encoder: Encoder, *, file: str) -> str:
    """Return the Python text that loads `file` into torchvision's model of the encoder's name."""
    create = f"torchvision.models.{encoder.name}()"
    return _torch_recipe(encoder, file=file, library="torchvision", create=create) + _usage(encoder)


def timm_recipe(encoder: Encoder, *, arguments: dict[str, object], file: str) -> str:
    """Return the Python text that loads `file` into what `timm.create_model` gives."""
    create = _timm_call(arguments)
    return _torch_recipe(encoder, file=file, library="timm", create=create) + _usage(encoder)


def own_recipe(encoder: Encoder, *, arguments: dict[str, object] | None, file: str) -> str:
    """Return the Python text that rebuilds the network of selfsight's own `file` without it.

    arguments: of `timm.create_model`, or None for a network of our own, which is spelt out.
    """
    create = _timm_call(arguments) if arguments else "Network()"
    lines = [
        "from pathlib import Path\n",
        *sorted(["import torch", *(["import timm"] if arguments else [])]),
        "from safetensors.torch import load_file",
        *([] if arguments else [spelled(encoder)]),
        f"\nFILE = Path(__file__).with_name({file!a})",
        "weights = load_file(FILE)",
        'MEAN = weights.pop("mean")[:, None, None]',
        'STD = weights.pop("std")[:, None, None]',
        f"network = {create}",
        *stem_lines(encoder, standard=encoder.stem == "standard"),
        'own = {name.removeprefix("network."): weight for name, weight in weights.items()}',
        "network.load_state_dict(own)",
        "network.eval()\n",
    ]
    pixels = "The file holds the mean and std of the pixels that it was trained with."
    return _header(encoder, file=file, pixels=pixels) + "\n".join(lines) + _encode(encoder)


def onnx_recipe(encoder: Encoder, *, file: str) -> str:
    """Return the Python text that runs `file` with onnxruntime."""
    imports = "from pathlib import Path\n\nimport numpy as np\nimport onnxruntime\n"
    body = f"""
    FILE = Path(__file__).with_name({file!a})
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])


    def encode(images):
        return session.run(["features"], {{"images": images}})[0]


    if __name__ == "__main__":
        images = np.zeros((1, {_shape(encoder)}), dtype=np.float32)
        print(encode(images).shape)
    """
    pixels = "The network subtracts the mean and divides by the std of pixels itself."
    return _header(encoder, file=file, pixels=pixels) + imports + dedent(body)


def stem_lines(encoder: Encoder, *, standard: bool) -> list[str]:
    """Return the lines that give a plain ResNet `network` the encoder's stem, if it differs.

    standard: whether the plain network has the encoder's number of channels and the usual stem.
    """
    if standard:
        return []
    old = encoder.network.conv1
    lines = [
        f"network.conv1 = torch.nn.Conv2d({old.in_channels}, {old.out_channels}, "
        f"kernel_size={old.kernel_size[0]}, stride={old.stride[0]}, "
        f"padding={old.padding[0]}, bias=False)"
    ]
    if isinstance(encoder.network.maxpool, nn.Identity):
        lines.append("network.maxpool = torch.nn.Identity()")
    return lines


def _torch_recipe(encoder: Encoder, *, file: str, library: str, create: str) -> str:
    safe = file.endswith(".safetensors")
    names = sorted(["torch", library])
    imports = "from pathlib import Path\n\n" + "".join(f"import {name}\n" for name in names)
    imports += "from safetensors.torch import load_file\n" if safe else ""
    plain = encoder.stem == "standard" and (encoder.channels == 3 or library == "timm")
    changes = stem_lines(encoder, standard=plain)
    if library == "torchvision":
        changes.append("network.fc = torch.nn.Identity()  # features instead of classes")
    load = "load_file(FILE)" if safe else "torch.load(FILE, weights_only=True)"
    lines = [
        "",
        f"FILE = Path(__file__).with_name({file!a})",
        f"network = {create}",
        *changes,
        f"network.load_state_dict({load})",
        "network.eval()",
        "",
    ]
    pixels = "Its mean and std of pixels, below, are those it was trained with."
    return _header(encoder, file=file, pixels=pixels) + imports + "\n".join(lines)


def _timm_call(arguments: dict[str, object]) -> str:
    others = {key: value for key, value in arguments.items() if key != "model_name"}
    words = [ascii(arguments["model_name"]), *(f"{key}={value!a}" for key, value in others.items())]
    return f"timm.create_model({', '.join(words)})"


def _usage(encoder: Encoder) -> str:
    return (
        f"\nMEAN = torch.tensor({encoder.config['mean']})[:, None, None]\n"
        f"STD = torch.tensor({encoder.config['std']})[:, None, None]\n" + _encode(encoder)
    )


def _encode(encoder: Encoder) -> str:
    return dedent(f"""

    @torch.inference_mode()
    def encode(images):
        return network((images - MEAN) / STD)


    if __name__ == "__main__":
        print(encode(torch.zeros(1, {_shape(encoder)})).shape)
    """)


def _header(encoder: Encoder, *, file: str, pixels: str) -> str:
    from selfsight import __version__

    header = HEADER.format(
        file=ascii(file),
        channels=encoder.channels,
        size=encoder.image_size,
        dim=encoder.dim,
        pixels=pixels,
    )
    notes = "".join(f"# {name!a}: {text!a}\n" for name, text in encoder.notes.items())
    return f"{header}# Written by selfsight {__version__}.\n{notes}\n"


def _shape(encoder: Encoder) -> str:
    return f"{encoder.channels}, {encoder.image_size}, {encoder.image_size}"
