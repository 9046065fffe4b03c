"""What must stay fast: the package and its help load nothing heavy."""

import subprocess
import sys

HEAVY = {
    *("torch", "torchvision", "timm", "lightning_fabric", "sklearn"),
    *("pyarrow", "onnx", "pacmap", "scipy", "numba"),
}


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint()\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import selfsight; dir(selfsight)") & HEAVY


def test_the_help_of_every_command_loads_nothing_heavy() -> None:
    for words in (["--help"], ["train", "--help"], ["evaluate", "--help"], ["--version"]):
        assert not loaded_after(f"from selfsight.cli import main; main({words!r})") & HEAVY, words


def test_the_overview_does_not_even_load_the_parser() -> None:
    assert not loaded_after("from selfsight.cli import main; main(['--help'])") & {
        "cyclopts",
        "rich",
    }
