"""Features as a table that other tools read: Parquet, or NumPy's .npz."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsight.data.images import ImageSet
from selfsight.errors import UserError
from selfsight.places import plain

if TYPE_CHECKING:
    from selfsight.evaluation.embed import Embeddings


def check_table(path: Path) -> None:
    """Raise UserError if `path` names no kind of table that can be written here."""
    if path.suffix not in (".parquet", ".npz"):
        raise UserError(f"{path} must end in .parquet or .npz")
    if path.suffix == ".parquet":
        _pyarrow()


def write_table(path: Path, embeddings: "Embeddings", images: ImageSet) -> None:
    """Write path, label ("" where unknown) and feature of every image, in one move."""
    names = np.array([*map(plain, images.labels.names), ""], dtype=object)
    labels = names[images.labels.index]
    paths = [plain(path) for path in images.paths]
    partial = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".parquet":
            _write_parquet(partial, paths, list(labels), embeddings.features)
        else:
            with partial.open("wb") as file:
                np.savez(
                    file,
                    paths=np.array(paths),
                    labels=labels.astype(str),
                    features=embeddings.features,
                )
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_parquet(
    path: Path,
    paths: list[str],
    labels: list[str],
    features: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    arrow = _pyarrow()
    from pyarrow import parquet

    vectors = arrow.FixedSizeListArray.from_arrays(
        arrow.array(features.reshape(-1)), features.shape[1]
    )
    table = arrow.table({"path": paths, "label": labels, "feature": vectors})
    parquet.write_table(table, path)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise UserError(
            "writing .parquet needs pyarrow: pip install 'selfsight[parquet]', or name a .npz"
        ) from None
    return pyarrow
