"""selfsight: from a folder of images to a self-supervised encoder and the evidence for it.

The names below are the public ones. They load on first use: `import selfsight` imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfsight.commands.assessing import assess
    from selfsight.commands.benching import bench
    from selfsight.commands.comparing import compare
    from selfsight.commands.diagnosing import diagnose
    from selfsight.commands.embedding import embed
    from selfsight.commands.evaluating import evaluate
    from selfsight.commands.explaining import explain
    from selfsight.commands.exporting import export
    from selfsight.commands.loading import load
    from selfsight.commands.studying import study
    from selfsight.commands.training import train
    from selfsight.errors import UserError
    from selfsight.method import Method, Step
    from selfsight.nets.encoder import Encoder
    from selfsight.run import Run
    from selfsight.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "train": "commands.training",
    "assess": "commands.assessing",
    "bench": "commands.benching",
    "evaluate": "commands.evaluating",
    "compare": "commands.comparing",
    "study": "commands.studying",
    "diagnose": "commands.diagnosing",
    "embed": "commands.embedding",
    "explain": "commands.explaining",
    "export": "commands.exporting",
    "load": "commands.loading",
    "Encoder": "nets.encoder",
    "Method": "method",
    "Run": "run",
    "Settings": "settings",
    "Step": "method",
    "UserError": "errors",
}

__all__ = [
    "Encoder",
    "Method",
    "Run",
    "Settings",
    "Step",
    "UserError",
    "__version__",
    "assess",
    "bench",
    "compare",
    "diagnose",
    "embed",
    "evaluate",
    "explain",
    "export",
    "load",
    "study",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'selfsight' has no attribute {name!r}")
    return getattr(import_module(f"selfsight.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
