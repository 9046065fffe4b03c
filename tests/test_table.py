"""Tables that other tools read: names of any bytes, and nothing half-written."""

import numpy as np
import pytest

from selfsight import table
from selfsight.data.images import ImageSet, Labels
from selfsight.evaluation.embed import Embeddings
from selfsight.table import write_table

CAFE = b"caf\xe9".decode("utf-8", "surrogateescape")  # a Latin-1 name on a UTF-8 machine


def made_up() -> tuple[Embeddings, ImageSet]:
    """Return features of three images, of which one has no label."""
    index = np.array([0, 1, -1])
    images = ImageSet(
        np.zeros((3, 3, 8, 8), np.uint8),
        (f"{CAFE}/1.png", "tea/2.png", "3.png"),
        Labels((CAFE, "tea"), index),
        (),
        "cups",
    )
    return Embeddings(np.arange(6, dtype=np.float32).reshape(3, 2), index), images


@pytest.mark.parametrize("ending", ["parquet", "npz"])
def test_names_that_are_no_unicode_are_written_with_their_bytes(tmp_path, ending) -> None:
    path = tmp_path / f"features.{ending}"
    write_table(path, *made_up())
    if ending == "npz":
        with np.load(path) as found:
            labels, paths = found["labels"].tolist(), found["paths"].tolist()
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(path).to_pydict()
        labels, paths = rows["label"], rows["path"]
    assert labels == ["caf\\xe9", "tea", ""]
    assert paths == ["caf\\xe9/1.png", "tea/2.png", "3.png"]


def test_ctrl_c_leaves_nothing_half_written(tmp_path, monkeypatch) -> None:
    def press(file, **_: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(table.np, "savez", press)
    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / "features.npz", *made_up())
    assert list(tmp_path.iterdir()) == []
