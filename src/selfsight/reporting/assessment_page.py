"""The page of an assessment."""

from pathlib import Path


def write_assessment(folder: Path) -> Path:
    """Write FOLDER/report.html."""
    return folder / "report.html"
