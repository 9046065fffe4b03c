"""Odd, broken and hostile files: what must load does, and what must not is listed with a reason."""

import csv
import os
import re
import subprocess
from pathlib import Path

import pytest

from selfsight.data.images import open_images

ARCHIVE = Path(__file__).parents[2] / "../shared/data/nasty.tar"
ESCAPES = {b"t": b"\t", b"n": b"\n", b"\\": b"\\"}


def unescaped(name: str) -> str:
    """Return the file name that the manifest writes with backslashes."""

    def plain(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return ESCAPES[code] if code in ESCAPES else bytes([int(code[1:], 16)])

    return os.fsdecode(re.sub(rb"\\(x[0-9a-f]{2}|.)", plain, name.encode()))


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the collection of odd files is not here")
def test_a_folder_of_odd_files_is_opened(tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", str(ARCHIVE), "-C", str(tmp_path)], capture_output=True)
    root = tmp_path / "nasty"
    images = open_images(str(root), size=32, cache=tmp_path / "cache")
    loaded, skipped = set(images.paths), dict(images.skipped)
    (root / "fs/locked_dir").chmod(0o700)
    with (root / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    assert len(rows) > 100
    root_reads_all = {"fs/no_read/perm000.jpg", "fs/locked_dir/inside.jpg"}
    for name, what, should_load in rows:
        path = unescaped(name).rstrip("/")
        if path in root_reads_all:
            assert path in loaded or path in skipped or str(Path(path).parent) in skipped
        elif should_load == "yes":
            assert path in loaded, (path, what, skipped.get(path))
        elif should_load == "no":
            assert path not in loaded, (path, what)
            assert skipped[path], (path, what)
        else:
            assert (path in loaded) != (path in skipped), (path, what)
    files = {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }
    assert files - loaded - set(skipped) <= root_reads_all
