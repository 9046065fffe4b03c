"""What a run says before its first step."""

from selfsight.assemble import precision_used, rate_lines
from selfsight.chunks import chunk_lines
from selfsight.engine import Engine
from selfsight.material import Material
from selfsight.method import Method
from selfsight.run import Run


def opening(run: Run, method: Method, material: Material, engine: Engine) -> list[str]:
    """Return the lines that say what is about to happen."""
    settings = run.settings
    weights = sum(weight.numel() for weight in method.encoder.parameters())
    what = f"{settings.encoder} ({weights / 1e6:.1f} M weights) at {settings.size} px, "
    if settings.steps == 0:
        said, what = [], f"{what}no gradient steps, "
    else:
        said = [*rate_lines(method, settings), *chunk_lines(method, settings)]
        what = f"{settings.method} with {what}batch {settings.batch}, "
    lines = [
        *said,
        f"{len(material.train):,} images to train on, {len(material.held_out):,} held out, "
        f"{len(material.train.labels.names)} classes, {len(material.skipped)} files skipped",
        f"{what}{precision_used(settings, engine.precision)} on {engine.device}, "
        f"{settings.threads} thread{'s' if settings.threads != 1 else ''}",
    ]
    if material.skipped:
        lines.append(f"skipped files and reasons: {run.path / 'skipped.tsv'}")
    return lines
