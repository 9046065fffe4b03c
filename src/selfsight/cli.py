"""The command line: parse, call, print. It knows no mathematics and imports no torch."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from selfsight import __version__
from selfsight.errors import UserError
from selfsight.settings import Settings

app = App(
    name="selfsight",
    help="From a folder of images to a self-supervised encoder and the evidence that it is good.",
    version=__version__,
    help_format="plaintext",
)

Positional = Parameter(show_default=False)
DEFAULTS = Settings()


@app.command
def train(
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Train an encoder on images and measure it.

    Parameters
    ----------
    images
        A folder of images, or the name of an image set (digits, CIFAR10, …).
    out
        The run's directory; it must be new.
    set_
        A setting of the method, as NAME=VALUE; may be repeated.
    resume
        Continue the run in OUT with its saved settings.
    """
    from selfsight.commands import train_with

    run = train_with(
        images, out=out, settings=settings, method_settings=_pairs(set_ or []), resume=resume
    )
    from selfsight.gather import process_rank

    if process_rank() == 0:
        _print_run(run.path, run.verdict)


@app.command
def evaluate(
    encoder: Annotated[Path, Positional],
    /,
    *,
    train: str,
    test: str,
    labels: str = "auto",
    seed: int = 0,
    cache: str = "auto",
    json: Path | None = None,
) -> None:
    """Measure a frozen encoder: kNN and linear probe, beside raw pixels and an untrained encoder.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    train
        Folder of labelled images to fit the probe on.
    test
        Folder of labelled images to read it on; used once.
    labels
        auto: class folders; or a CSV file with columns path,label.
    seed
        Seed of the splits and of the bootstrap.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    json
        File to write the evidence to, too.
    """
    from selfsight.commands import evaluate as evaluate_encoder
    from selfsight.display import print_out

    found = evaluate_encoder(
        encoder, train=train, test=test, labels=labels, seed=seed, cache=cache, json_file=json
    )
    print_out("\n".join(found.table()))


@app.command
def embed(
    encoder: Annotated[Path, Positional],
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    labels: str = "auto",
    cache: str = "auto",
) -> None:
    """Write the features of every image to a table.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    images
        A folder of images, or the name of an image set.
    out
        The table: .parquet or .npz.
    labels
        auto: class folders if there are any; none; or a CSV file with columns path,label.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    """
    from selfsight.commands import embed as embed_images
    from selfsight.display import print_out

    print_out(f"features: {embed_images(encoder, images, out=out, labels=labels, cache=cache)}")


@app.command
def export(
    encoder: Annotated[Path, Positional],
    /,
    *,
    to: Literal["safetensors", "torchvision", "timm", "onnx"],
    out: Path,
) -> None:
    """Write the encoder in another tool's format and check it there.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    to
        The format.
    out
        The file to write; it must be new.
    """
    from selfsight.commands import export as export_encoder
    from selfsight.display import print_out

    for path in export_encoder(encoder, to=to, out=out):
        print_out(f"written: {path}")


@app.command(name="methods")
def show_methods(name: Annotated[str, Positional] = "", /) -> None:
    """List the methods, or say everything about one.

    Parameters
    ----------
    name
        A method's name; without it all are listed.
    """
    from selfsight.cards import card_lines, list_lines
    from selfsight.display import print_out

    print_out("\n".join(card_lines(name) if name else list_lines()))


def main(words: list[str]) -> int:
    """Run a command and return its exit code: 0, 2 for the user's mistakes, 130 for Ctrl-C.

    A fault of selfsight's own keeps its traceback.
    """
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (UserError, CycloptsError) as error:
        sys.stderr.write(f"selfsight: {_one_line(error)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("selfsight: interrupted\n")
        return 130
    except Exception as error:
        # Its class lives beside torch, which a wrong option must not load.
        if type(error).__name__ != "Interrupted":
            raise
        sys.stderr.write(f"selfsight: {error}\n")
        return 130
    return 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _pairs(words: list[str]) -> dict[str, object]:
    pairs: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"--set {word}: write it as NAME=VALUE")
        pairs[name] = value
    return pairs


def _print_run(path: Path, verdict: str) -> None:
    from selfsight.display import print_out
    from selfsight.run import Run

    for line in Run.open(path).evidence.get("table", []):
        print_out(line)
    print_out(verdict)
    print_out(f"report:  {path / 'report.html'}")
    print_out(f"encoder: {path / 'encoder.safetensors'}  (selfsight.load({str(path)!r}))")
