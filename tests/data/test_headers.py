"""What files say of images is read from their headers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight.data.headers import jpeg_quality, read_headers
from selfsight.data.images import quiet

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))


@pytest.mark.parametrize("quality", [1, 10, 37, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_the_one_it_was_saved_with(tmp_path: Path, quality: int) -> None:
    NOISE.save(tmp_path / "a.jpg", quality=quality)
    with Image.open(tmp_path / "a.jpg") as image:
        assert jpeg_quality(image.quantization[0]) == quality  # type: ignore[attr-defined]


def test_headers_tell_size_format_mode_and_time(tmp_path: Path) -> None:
    NOISE.save(tmp_path / "a.jpg", quality=60)
    (tmp_path / "b").mkdir()
    NOISE.convert("L").save(tmp_path / "b" / "c.png")
    found = read_headers(tmp_path, ("a.jpg", "b/c.png", "gone.png"), progress=quiet)
    assert found is not None
    assert found.width[:2].tolist() == [30, 30] and found.height[:2].tolist() == [20, 20]
    assert found.format == ("JPEG", "PNG", "") and found.mode == ("RGB", "L", "")
    assert found.quality[0] == 60 and np.isnan(found.quality[1:]).all()
    assert found.size[0] == (tmp_path / "a.jpg").stat().st_size
    assert found.modified[1] == (tmp_path / "b" / "c.png").stat().st_mtime
    assert np.isnan(found.width[2])


def test_a_set_known_by_name_has_no_files() -> None:
    assert read_headers("digits", ("digits/0000",), progress=quiet) is None
