"""Pictures for the page: views, rows of nearest neighbours, one sheet of thumbnails."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from selfsight.reporting.mapping import directions
from selfsight.reporting.reading import HeldOut

NEIGHBOURS = 7
QUERIES = 8
LARGEST = 96  # side of a picture in the galleries, in pixels
SHEET_PIXELS = 2_400_000  # of the thumbnail sheet: about 0.7 MB
TILES = (96, 64, 48, 32)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture as a data URI. `agrees`: whether it is of the query's class, None if unknown."""

    uri: str
    label: str
    path: str
    agrees: bool | None
    cosine: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """Many thumbnails in one picture, row by row, `across` a row, each `tile` pixels wide."""

    uri: str
    tile: int
    across: int


def views_sheet(views: UInt8[np.ndarray, "images columns 3 side side"]) -> list[list[str]]:
    """Return a data URI for every view, image by image; column 0 is the stored image."""
    return [[picture(view) for view in row] for row in views]


def neighbour_rows(
    held_out: HeldOut, near: Int[np.ndarray, "images neighbours"], cosines: Float[np.ndarray, "n n"]
) -> list[list[Tile]]:
    """Return rows of a query and its nearest images, for queries taken evenly over the classes."""

    def tile(row: int, query: int) -> Tile:
        label, wanted = held_out.name_of(row), held_out.name_of(query)
        agrees = label == wanted if row != query and label and wanted else None
        return Tile(
            picture(held_out.thumbs[row]),
            label,
            held_out.paths[row],
            agrees,
            float(cosines[query, row]),
        )

    return [
        [tile(query, query), *(tile(int(row), query) for row in near[query])]
        for query in query_rows(held_out.labels)
    ]


def query_rows(labels: Int[np.ndarray, "images"]) -> list[int]:
    """Return up to 8 rows, without looking at any result: the first of each class in turn."""
    known = np.unique(labels[labels >= 0])
    if not len(known):
        return [int(row) for row in np.unique(np.linspace(0, len(labels) - 1, QUERIES).round())]
    classes = known[np.unique(np.linspace(0, len(known) - 1, QUERIES).round().astype(int))]
    by_class = [np.flatnonzero(labels == label) for label in classes]
    turns = max(len(rows) for rows in by_class)
    ordered = [int(rows[turn]) for turn in range(turns) for rows in by_class if turn < len(rows)]
    return sorted(ordered[:QUERIES], key=lambda row: (int(labels[row]), row))


def cosine_matrix(features: Float[np.ndarray, "images dim"]) -> Float[np.ndarray, "images images"]:
    """Return the cosine of every pair of rows."""
    rows = directions(features).astype(np.float32)
    return rows @ rows.T


def nearest(
    cosines: Float[np.ndarray, "images images"],
) -> Int[np.ndarray, "images neighbours"]:
    """Return the up to 7 other rows with the largest cosine, nearest first; ties by row number."""
    without_self = cosines.copy()
    np.fill_diagonal(without_self, -np.inf)
    order = np.argsort(-without_self, axis=1, kind="stable")
    return order[:, : min(NEIGHBOURS, len(cosines) - 1)]


def agreement(
    labels: Int[np.ndarray, "images"], near: Int[np.ndarray, "images neighbours"]
) -> Float[np.ndarray, "images"]:
    """Return per image the share of its labelled neighbours that have its label; NaN if unknown."""
    known = labels[near] >= 0
    same = (labels[near] == labels[:, None]) & known
    share = same.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where((labels >= 0) & known.any(axis=1), share, np.nan)


def thumbnail_sheet(thumbs: UInt8[np.ndarray, "images 3 side side"]) -> Sheet:
    """Return all thumbnails in one picture; they are made smaller if there are very many."""
    side = thumbs.shape[-1]
    fitting = next((size for size in TILES if len(thumbs) * size**2 <= SHEET_PIXELS), TILES[-1])
    tile = min(side, fitting)
    across = int(np.ceil(np.sqrt(len(thumbs))))
    down = -(-len(thumbs) // across)
    sheet = Image.new("RGB", (across * tile, down * tile))
    for index, thumb in enumerate(thumbs):
        sheet.paste(_shrunk(image_of(thumb), tile), (index % across * tile, index // across * tile))
    return Sheet(data_uri(sheet), tile, across)


def picture(pixels: UInt8[np.ndarray, "3 side side"]) -> str:
    """Return an image as a data URI, made smaller if its side is above 96 pixels."""
    return data_uri(_shrunk(image_of(pixels), LARGEST))


def image_of(pixels: UInt8[np.ndarray, "3 height width"]) -> Image.Image:
    """Return pixels as a Pillow image."""
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.LANCZOS) if image.width > side else image


def data_uri(image: Image.Image) -> str:
    """Return an image as a data URI."""
    written = io.BytesIO()
    # JPEG without chroma subsampling: neighbouring tiles would bleed into one another.
    kind = "png" if image.width <= 16 else "jpeg"
    image.save(written, format=kind, quality=84, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
