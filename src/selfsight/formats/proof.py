"""The proof of an export: its recipe, run where selfsight does not exist, gives our features."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.nets.encoder import Encoder

TOLERANCE = 1e-5  # float32, relative to the largest feature where that is above 1
STRANGER = """
import runpy, sys
sys.modules["selfsight"] = None  # from here on `import selfsight` fails
import numpy as np
recipe, images, features = sys.argv[1:]
names, images = runpy.run_path(recipe), np.load(images)
if "torch" in names:
    images = names["torch"].from_numpy(images)
both = [names["encode"](images), names["encode"](images[:1])]
np.save(features, np.concatenate([np.asarray(part) for part in both]))
"""


def prove(recipe: Path, encoder: Encoder) -> None:
    """Run `recipe` in a new Python process and compare its features with those of `encoder`.

    Four images at once and one alone, so that the size of the batch is free and each image stands
    for itself. Raises RuntimeError when they differ: a fault of selfsight, not of its user.
    """
    images = sample(encoder)
    expected = encoder.encode(images).numpy()
    with TemporaryDirectory() as folder:
        given, returned = Path(folder, "images.npy"), Path(folder, "features.npy")
        np.save(given, images.numpy())
        # -P: a file named timm.py in the current folder must not be taken for timm
        command = [sys.executable, "-P", "-c", STRANGER, *map(str, (recipe, given, returned))]
        child = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if child.returncode != 0:
            raise RuntimeError(f"the export cannot be used: {child.stderr.strip()[-2000:]}")
        found = np.load(returned)
    agree(found, np.concatenate([expected, expected[:1]]))


def agree(found: Float[np.ndarray, "_n _dim"], expected: Float[np.ndarray, "n dim"]) -> None:
    """Raise RuntimeError unless the features are the same up to `TOLERANCE`."""
    if found.shape != expected.shape:
        raise RuntimeError(f"the export gives features {found.shape}, not {expected.shape}")
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference <= TOLERANCE:
        raise RuntimeError(f"the export's features differ from the encoder's by {difference:.1e}")


def sample(encoder: Encoder) -> Float[Tensor, "4 channels size size"]:
    """Return four images of noise in [0, 1], always the same: noise excites every weight."""
    side, generator = encoder.image_size, torch.Generator().manual_seed(0)
    return torch.rand(4, encoder.channels, side, side, generator=generator)
