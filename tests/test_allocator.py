"""Freed memory is kept, where the C library can be told to."""

import platform
import subprocess
import sys

import pytest

AGAIN = """
import resource, sys
from selfsight import allocator

if len(sys.argv) > 1:
    getattr(allocator, sys.argv[1])()
size = int(sys.argv[2]) if len(sys.argv) > 2 else 64 << 20
len(b"x" * size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
len(b"x" * size)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], False),
        (["keep_freed_memory"], True),
        (["keep_freed_blocks"], False),
        (["keep_freed_blocks", str(16 << 20)], True),
    ],
)
def test_a_kept_block_costs_no_page_faults_the_second_time(words, kept):
    out = subprocess.run(
        [sys.executable, "-c", AGAIN, *words], check=True, capture_output=True, text=True
    )
    assert (int(out.stdout) < 1000) == kept, out.stdout
