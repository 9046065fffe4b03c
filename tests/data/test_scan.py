"""Every file is a candidate or is skipped with a reason."""

import os
from pathlib import Path

import pytest

from selfsight.data.images import quiet
from selfsight.data.scan import Scan, scan
from selfsight.errors import UserError


def looked(folder: Path) -> Scan:
    return scan(folder, progress=quiet)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_images_are_found_at_any_depth_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a/b/c/d/e/f.JpEg", "c/photo.jfif", "c/y.webp"):
        touch(tmp_path / name)
    found = looked(tmp_path)
    assert found.paths == ("b.png", "a/z.JPG", "a/b/c/d/e/f.JpEg", "c/photo.jfif", "c/y.webp")
    assert found == looked(tmp_path)
    assert not found.skipped


def test_every_other_file_is_listed_with_its_reason(tmp_path: Path) -> None:
    reasons = {
        "notes.txt": "not an image by its name (.txt)",
        "README": "not an image by its name",
        "a.jpg.bak": "not an image by its name (.bak)",
        "paper.pdf": "not an image by its name (.pdf)",
        "phone.HEIC": "HEIC: needs pillow-heif",
        ".hidden.jpg": "hidden file",
        "._a.jpg": "sidecar file of another program",
        "Thumbs.db": "sidecar file of another program",
        "__MACOSX/a.jpg": "sidecar files of other programs (__MACOSX)",
        ".ipynb_checkpoints/a-checkpoint.jpg": "sidecar files of other programs "
        "(.ipynb_checkpoints)",
        ".git/objects/a.jpg": "in the hidden folder .git",
    }
    touch(tmp_path / "a.jpg")
    for name in reasons:
        touch(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "pipe.jpg").parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "pipe.jpg")
    found = looked(tmp_path)
    assert found.paths == ("a.jpg",)
    assert dict(found.skipped) == reasons | {
        "empty": "empty folder",
        "pipe.jpg": "not a regular file",
    }


def test_links_to_files_are_followed_and_links_to_folders_are_listed(tmp_path: Path) -> None:
    touch(tmp_path / "cats/a.jpg")
    (tmp_path / "cats/linked.jpg").symlink_to("a.jpg")
    (tmp_path / "cats/up").symlink_to("..")
    (tmp_path / "cats/dangling.jpg").symlink_to("/nowhere/at/all.jpg")
    (tmp_path / "cats/loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "cats/folder.jpg").symlink_to(tmp_path)
    found = looked(tmp_path)
    assert found.paths == ("cats/a.jpg", "cats/linked.jpg")
    reasons = dict(found.skipped)
    assert set(reasons) == {
        "cats/up",
        "cats/dangling.jpg",
        "cats/loop.jpg",
        "cats/folder.jpg",
    }
    assert reasons["cats/dangling.jpg"].startswith("link that leads nowhere")
    assert reasons["cats/loop.jpg"].startswith("link that leads nowhere")
    assert reasons["cats/folder.jpg"] == "link to a folder; such links are not followed"


def test_any_file_name_will_do(tmp_path: Path) -> None:
    names = [
        b"new\nline.jpg",
        b"tab\t.jpg",
        b"-rf.jpg",
        b"latin1_\xe9\xe8.jpg",
        b"[a]*?.jpg",
        b" .jpg",
    ]
    for name in names:
        touch(tmp_path / os.fsdecode(name))
    assert sorted(map(os.fsencode, looked(tmp_path).paths)) == sorted(names)


def test_an_unreadable_folder_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "locked/b.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:  # root may read everything, so the refusal is played
        if path.rstrip("/").endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert looked(tmp_path).skipped == (("locked", "folder cannot be read: Permission denied"),)


def test_the_fingerprint_tells_a_change_of_name_size_or_time(tmp_path: Path) -> None:
    image = touch(tmp_path / "a.jpg")
    os.utime(image, ns=(1, 1))
    prints = [looked(tmp_path).fingerprint]
    os.utime(image, ns=(2, 2))
    prints.append(looked(tmp_path).fingerprint)
    image.write_bytes(b"xy")
    os.utime(image, ns=(2, 2))
    prints.append(looked(tmp_path).fingerprint)
    image.rename(tmp_path / "b.jpg")
    prints.append(looked(tmp_path).fingerprint)
    touch(tmp_path / "notes.txt")
    assert len(set(prints)) == 4
    assert looked(tmp_path).fingerprint == prints[-1]


def test_what_is_no_folder_of_images_is_told_in_one_line(tmp_path: Path) -> None:
    file = touch(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (tmp_path / "none", "there is no folder"),
        (file, "is a file"),
        (tmp_path / "empty", "is empty"),
        (tmp_path, "no image file among the 2"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            looked(folder)
        assert "\n" not in str(caught.value)
