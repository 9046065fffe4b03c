"""Make the two pictures of docs/understanding.md, from images that are made up here.

    python bench/looks.py OUT [--steps 300] [--pictures docs]

Writes a folder of images (five patterned shapes, each with colours, a place, a size and a turn of
its own, on blurred noise), trains a small network on them without labels, explains and diagnoses it
on other such images, and photographs the two pages with chromium, where that is installed. What is
there already is not made again. Nothing is chosen for its looks: the explained images are drawn by
the seed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, FINER = 64, 3
STEP = 4  # of the levels of the photographs
PARTS = {"train": 250, "val": 120}  # images of each kind

Plane = np.ndarray  # a number for each pixel


def _star(u: Plane, v: Plane) -> Plane:
    return np.hypot(u, v) < 0.68 + 0.32 * np.cos(5 * np.arctan2(v, u))


def _triangle(u: Plane, v: Plane) -> Plane:
    return (v > -0.6) & (v < 1.1 - 1.75 * np.abs(u))


KINDS: dict[str, tuple[Callable[[Plane, Plane], Plane], Callable[[Plane, Plane], Plane]]] = {
    "striped disc": (lambda u, v: np.hypot(u, v) < 0.95, lambda u, _: np.sin(9 * u) > 0),
    "checked square": (
        lambda u, v: np.maximum(np.abs(u), np.abs(v)) < 0.82,
        lambda u, v: np.sin(8 * u) * np.sin(8 * v) > 0,
    ),
    "dotted triangle": (_triangle, lambda u, v: np.cos(11 * u) + np.cos(11 * v) > 0.7),
    "ringed star": (_star, lambda u, v: np.sin(14 * np.hypot(u, v)) > 0),
    "plain cross": (
        lambda u, v: (
            (np.minimum(np.abs(u), np.abs(v)) < 0.3) & (np.maximum(np.abs(u), np.abs(v)) < 0.95)
        ),
        lambda u, _: u > 9,
    ),
}


def picture(kind: str, rng: np.random.Generator) -> Image.Image:
    """Return one image: a shape on a texture."""
    large = SIDE * FINER
    rows, columns = np.mgrid[:large, :large] / large
    radius = rng.uniform(0.19, 0.27)
    top, left = rng.uniform(radius, 1 - radius, 2)
    turn = rng.uniform(0, 2 * np.pi)
    down, right = (rows - top) / radius, (columns - left) / radius
    u = np.cos(turn) * right + np.sin(turn) * down
    v = np.cos(turn) * down - np.sin(turn) * right
    inside, pattern = KINDS[kind]
    dark, light = rng.uniform(10, 110, 3), rng.uniform(150, 250, 3)
    drawn = np.where(pattern(u, v)[..., None], light, dark)
    whole = np.where(inside(u, v)[..., None], drawn, _texture(rng, large))
    image = Image.fromarray(np.rint(whole.clip(0, 255)).astype(np.uint8))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _texture(rng: np.random.Generator, side: int) -> Plane:
    """Return noise of two sizes between two colours."""
    mixed = np.zeros((side, side))
    for cells, weight in ((5, 0.7), (16, 0.5)):
        noise = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
        mixed += weight * (np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC)) - 0.5)
    one, other = rng.uniform(50, 205, (2, 3))
    return one + (0.5 + mixed)[..., None].clip(0, 1) * (other - one)


def make_images(folder: Path) -> None:
    """Write the images of both parts, a folder for each kind."""
    for part, count in PARTS.items():
        for number, kind in enumerate(KINDS):
            place = folder / part / kind
            place.mkdir(parents=True)
            rng = np.random.default_rng((number, len(part)))
            for row in range(count):
                picture(kind, rng).save(place / f"{row:03d}.png")


def photograph(page: Path, target: Path, *, width: int, height: int) -> None:
    """Write the top of a page as a PNG in the light theme."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        print(f"no chromium here: {target} is not made; the page is {page}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        shot = Path(scratch) / "shot.png"
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update"]
        command += ["--disable-sync", "--hide-scrollbars", f"--user-data-dir={scratch}/profile"]
        command += [f"--window-size={width},{height}", f"--screenshot={shot}"]
        subprocess.run([*command, page.resolve().as_uri()], check=True, capture_output=True)
        with Image.open(shot) as image:
            # Levels a step apart look alike and pack into two thirds of the bytes.
            whole = image.convert("RGB").point(lambda level: min(255, round(level / STEP) * STEP))
            whole.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def selfsight(*words: object) -> None:
    """Run the command line, as a person would."""
    print("selfsight", *words, flush=True)
    subprocess.run([sys.executable, "-m", "selfsight", *map(str, words)], check=True)


def main() -> None:
    """Make what is not there yet."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("out", type=Path)
    ask.add_argument("--steps", type=int, default=300)
    ask.add_argument("--pictures", type=Path, default=Path("docs"))
    given = ask.parse_args()
    out, images = given.out, given.out / "images"
    if not images.is_dir():
        make_images(images)
    cache = ("--cache", out / "cache")
    if not (out / "run" / "report.html").is_file():
        words = ["--encoder", "convnet", "--size", 48, "--batch", 128, "--steps", given.steps]
        words += ["--threads", 1, "--held-out", images / "val", "--out", out / "run", *cache]
        selfsight("train", images / "train", *words)
    if not (out / "looks" / "report.html").is_file():
        words = ["--toward", "neighbour", "--maps", "gradcam,occlusion,relax", "--count", 5]
        selfsight("explain", out / "run", images / "val", *words, "--out", out / "looks", *cache)
    if not (out / "diagnosis" / "report.html").is_file():
        words = ["--tests", "collapse,quality,stress", "--out", out / "diagnosis", *cache]
        selfsight("diagnose", out / "run", images / "val", *words)
    photograph(out / "looks" / "report.html", given.pictures / "looks.png", width=900, height=2005)
    photograph(
        out / "diagnosis" / "report.html", given.pictures / "diagnosis.png", width=1000, height=1745
    )


if __name__ == "__main__":
    main()
