"""The bench's made-up images, features and trials, for tests: one definition of all of them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PLACE = Path(__file__).parents[3] / "bench" / "shortcuts.py"


def bench() -> ModuleType:
    """Return bench/shortcuts.py as a module."""
    name = "bench_shortcuts"
    if name not in sys.modules:
        found = importlib.util.spec_from_file_location(name, PLACE)
        assert found is not None and found.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(found)
        found.loader.exec_module(sys.modules[name])
    return sys.modules[name]
