"""A whole diagnosis: every finding about one encoder, as text, as JSON and as a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsight.diagnosis.cells import plain
from selfsight.diagnosis.finding import Finding
from selfsight.errors import UserError


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `selfsight.diagnose` returns. path: the folder with report.html and diagnosis.json."""

    path: Path
    about: Mapping[str, Any]  # the encoder, the images and the seed
    findings: tuple[Finding, ...]

    def finding(self, name: str) -> Finding:
        """Return the finding of that name. Raises UserError if there is none."""
        for found in self.findings:
            if found.name == name:
                return found
        known = ", ".join(found.name for found in self.findings)
        raise UserError(f"the diagnosis has no finding {name!r}; there are: {known}")

    def to_json(self) -> dict[str, Any]:
        """Return the content of diagnosis.json."""
        return {**plain(self.about), "findings": {f.name: f.to_json() for f in self.findings}}

    def lines(self) -> list[str]:
        """Return the diagnosis as lines of text."""
        lines: list[str] = []
        for found in self.findings:
            lines += [*found.lines(), ""]
        return lines[:-1]
