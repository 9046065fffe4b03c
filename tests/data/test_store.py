"""A folder is decoded once; what interrupts, spoils or hinders that is survived or told."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight.data import store as store_module
from selfsight.data.images import ImageSet, open_images
from selfsight.data.store import stored_side
from selfsight.errors import UserError


def colour(number: int) -> tuple[int, int, int]:
    return (number * 7 % 256, number * 13 % 256, 255 - number * 5 % 256)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of one colour each, three of them no images."""
    root = tmp_path / "images"
    root.mkdir()
    for number in range(12):
        Image.new("RGB", (40, 30), colour(number)).save(root / f"{number:02}.png")
    for number in (0, 5, 11):
        (root / f"{number:02}.png").write_bytes(b"nonsense")
    return root


GOOD = [1, 2, 3, 4, 6, 7, 8, 9, 10]


def opened(folder: Path, **settings: object) -> ImageSet:
    return open_images(str(folder), **{"size": 24, "cache": folder.parent / "cache", **settings})


def contents(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any further decoding an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(store_module, "_fill", refuse)


def test_good_images_are_stored_without_gaps_and_bad_ones_listed(folder: Path) -> None:
    images = opened(folder)
    assert images.paths == tuple(f"{number:02}.png" for number in GOOD)
    assert images.pixels.shape == (9, 3, 30, 30)
    expected = np.array([colour(number) for number in GOOD])[:, :, None, None]
    assert (images.pixels == expected).all()
    assert images.skipped == tuple(
        (f"{number:02}.png", "not in an image format that can be read") for number in (0, 5, 11)
    )


@pytest.mark.parametrize("at_once", [1, 2700, 2 * 2700, 1 << 24])
def test_gaps_are_closed_whatever_fits_into_memory(
    folder: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "COPIED_AT_ONCE", at_once)
    assert opened(folder).pixels[:, :, 0, 0].tolist() == [list(colour(n)) for n in GOOD]


def test_a_second_opening_decodes_nothing(folder: Path, request: pytest.FixtureRequest) -> None:
    first = opened(folder)
    request.getfixturevalue("no_decoding")
    second = opened(folder)
    assert (second.pixels == first.pixels).all()
    assert (second.paths, second.skipped) == (first.paths, first.skipped)


def test_a_changed_folder_is_decoded_again_and_readers_keep_theirs(folder: Path) -> None:
    before = opened(folder)
    Image.new("RGB", (40, 30), "white").save(folder / "01.png")
    os.utime(folder / "01.png", ns=(1, 1))
    after = opened(folder)
    assert (after.pixels[0] == 255).all()
    assert tuple(before.pixels[0, :, 0, 0]) == colour(1)
    assert len(contents(folder.parent / "cache")) == 1


def test_a_file_that_is_no_candidate_changes_nothing(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    opened(folder)
    (folder / "notes.txt").write_text("new")
    request.getfixturevalue("no_decoding")
    assert ("notes.txt", "not an image by its name (.txt)") in opened(folder).skipped


def test_sizes_have_stores_of_their_own(folder: Path) -> None:
    assert opened(folder, size=8).pixels.shape[-1] == 10
    assert opened(folder, size=24).pixels.shape[-1] == 30
    assert len(contents(folder.parent / "cache")) == 2


@pytest.mark.parametrize(
    ("shorter_sides", "size", "side"),
    [
        ([32] * 9, 32, 32),
        ([500] * 9, 224, 280),
        ([10], 32, 32),
        ([35, 36, 90], 32, 36),
        ([], 30, 30),
    ],
)
def test_the_stored_side_is_the_images_own_within_bounds(
    shorter_sides: list[int], size: int, side: int
) -> None:
    assert stored_side(shorter_sides, size) == side


def test_the_image_folder_is_left_as_it_was(folder: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    opened(folder)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == before
    with pytest.raises(UserError, match="lies inside the image folder"):
        opened(folder, cache=folder / "cache")


def test_what_a_killed_run_left_is_never_used_and_is_swept_away(folder: Path) -> None:
    cache = folder.parent / "cache"
    first = opened(folder)
    whole = cache / contents(cache)[0]
    half = cache / (whole.name.rpartition("-")[0] + ".building")
    whole.rename(half)
    (cache / "other-8px-abc.building").mkdir()
    (cache / "other-8px-abc.building/pixels.u8").write_bytes(b"x")
    assert (opened(folder).pixels == first.pixels).all()
    assert contents(cache) == [whole.name]


def test_what_another_process_is_making_is_left_alone(folder: Path) -> None:
    cache = folder.parent / "cache"
    (cache / "other-8px-abc.building").mkdir(parents=True)
    with (cache / "other-8px-abc.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        opened(folder)
    assert "other-8px-abc.building" in contents(cache)


@pytest.mark.parametrize("harm", ["cut", "index", "missing"])
def test_a_damaged_store_is_made_anew(folder: Path, harm: str) -> None:
    first = np.array(opened(folder).pixels)
    (whole,) = (folder.parent / "cache").glob("images-*px-*-*")
    if harm == "cut":
        os.truncate(whole / "pixels.u8", 100)
    elif harm == "index":
        (whole / "index.json").write_text('{"images":')
    else:
        (whole / "pixels.u8").unlink()
    assert (opened(folder).pixels == first).all()


def test_a_full_disk_is_told_before_any_decoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    cache = folder.parent / "cache"
    with pytest.raises(UserError, match=r"need 32,400 bytes in .*cache'.* [\d,]+ are free") as told:
        opened(folder)
    assert "\n" not in str(told.value)
    assert contents(cache) == []


def test_a_disk_that_fills_up_later_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "finish", full)
    with pytest.raises(UserError, match="is full"):
        opened(folder)
    assert contents(folder.parent / "cache") == []


def test_a_store_that_cannot_be_written_by_the_workers_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "allocate", lambda *_: None)  # so they find no file
    with pytest.raises(UserError, match="cannot write in the cache"):
        opened(folder)


def test_a_cache_that_is_a_file_is_told(folder: Path) -> None:
    (folder.parent / "file").write_text("")
    with pytest.raises(UserError, match="cannot write in the cache"):
        opened(folder, cache=folder.parent / "file/cache")


def test_a_folder_of_broken_images_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    cache = tmp_path.parent / f"{tmp_path.name}-cache"
    with pytest.raises(UserError, match=r"none of the 2 .*'a.png': empty file"):
        open_images(str(tmp_path), size=8, cache=cache)
    assert contents(cache) == []


def test_progress_goes_up_to_the_whole(folder: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    opened(folder, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("decode", 12, 12)


def test_an_interrupted_run_leaves_nothing(folder: Path) -> None:
    for number in range(300):
        os.link(folder / "01.png", folder / f"more{number}.png")
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from selfsight.data.images import open_images\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it\n"
        "def interrupt(phase, done, total):\n"
        "    if phase == 'decode':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "open_images(sys.argv[1], size=24, cache=Path(sys.argv[2]), progress=interrupt)\n"
    )
    cache = folder.parent / "cache"
    command = [sys.executable, "-c", program, str(folder), str(cache)]
    ended = subprocess.run(
        command, capture_output=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert ended.returncode in {-signal.SIGINT, 130}
    assert contents(cache) == []
