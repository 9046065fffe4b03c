"""The run directory: settings, records, checkpoints and what was measured.

Every file is written beside its place and moved there, so that a killed process leaves either the
old file or the new one.
"""

import io
import json
import os
import pickle
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsight.errors import UserError, reaching
from selfsight.places import plain, vacant
from selfsight.settings import Settings, read_settings, write_settings

if TYPE_CHECKING:
    from selfsight.nets.encoder import Encoder

KEPT_CHECKPOINTS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One training run on disk. `selfsight.train` returns it; `Run.open(path)` finds it again."""

    path: Path
    images: str
    settings: Settings
    method_settings: Mapping[str, object]

    @classmethod
    def create(
        cls, path: Path, *, images: str, settings: Settings, method_settings: Mapping[str, object]
    ) -> "Run":
        """Make the directory and write the settings, or leave nothing.

        Raises UserError where `vacant` does, and for a disk that takes no more.
        """
        vacant(path)
        run = cls(path, images, settings, method_settings)
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            run._write_settings()
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise UserError(
                f"cannot write to {path}: {error.strerror}; mend that, or choose another --out"
            ) from error
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Return the run in a directory. Raises UserError if there is none."""
        with reaching(path):
            begun = (path / "settings.toml").is_file()
        if not begun:
            raise UserError(f"{path} holds no run: it has no settings.toml")
        images, settings, own = read_settings(path / "settings.toml")
        return cls(path, images, settings, own)

    @property
    def encoder(self) -> "Encoder":
        """Return the trained encoder. Raises UserError if the run has not ended, or diverged."""
        from selfsight.formats import load_encoder

        if not (self.path / "encoder.safetensors").is_file():
            if self.evidence:
                raise UserError(f"the run in {self.path} has diverged: it has no encoder")
            raise UserError(f"the run in {self.path} has not ended; continue it with --resume")
        return load_encoder(self.path / "encoder.safetensors")

    @property
    def evidence(self) -> dict[str, Any]:
        """Return what was measured at the end (`evidence.json`), or {} before the end."""
        try:
            found: dict[str, Any] = json.loads((self.path / "evidence.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return found

    @property
    def verdict(self) -> str:
        """Return the verdict's sentence, or "" before the end."""
        return str(self.evidence.get("verdict", {}).get("sentence", ""))

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the records of a kind ("step" or "look") in order, less a torn last line."""
        try:
            lines = (self.path / "records.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [record for record in _parsed(lines) if record["kind"] == kind]

    def shortened(self, settings: Settings, *, write: bool) -> "Run":
        """Return the run without steps where these settings say so and its own do not.

        write: save that too. Raises UserError if it cannot be saved.
        """
        if settings.steps != 0 or self.settings.steps == 0:
            return self
        run = replace(self, settings=replace(self.settings, minutes=None, epochs=None, steps=0))
        if write:
            with reaching(self.path, to="write"):
                run._write_settings()
        return run

    def _write_settings(self) -> None:
        partial = self.path / "settings.toml.part"
        write_settings(
            partial, self.settings, images=self.images, method_settings=self.method_settings
        )
        partial.replace(self.path / "settings.toml")

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records as lines of JSON; numbers that are not finite become null."""
        lines = "".join(json.dumps(_finite(record)) + "\n" for record in records)
        with (self.path / "records.jsonl").open("a", encoding="utf-8") as file:
            file.write(lines)

    def forget_after(self, step: int) -> None:
        """Drop the records of steps later than `step`: a resumed run writes them anew."""
        kept = [
            record
            for kind in ("step", "look")
            for record in self.records(kind)
            if record["step"] <= step
        ]
        kept.sort(key=lambda record: record["step"])  # stable: a step stands before its look
        self.write_text("records.jsonl", "".join(json.dumps(record) + "\n" for record in kept))

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the run in one move."""
        partial = self.path / f"{name}.part"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path / name)

    def write_skipped(self, skipped: Iterable[tuple[str, str]]) -> None:
        """Write skipped.tsv: files that could not be used, and why. Tabs and the like escaped."""
        lines = [f"{_escaped(path)}\t{_escaped(reason)}\n" for path, reason in skipped]
        self.write_text("skipped.tsv", "file\treason\n" + "".join(lines))

    def drop_partial_files(self) -> None:
        """Remove what was being written when the run was stopped."""
        for partial in (*self.path.glob("**/*.part"), *self.path.glob("**/.part")):
            partial.unlink(missing_ok=True)

    def drop_if_not_begun(self) -> None:
        """Remove the directory if no step was taken: it has nothing that could be continued."""
        if not self.records("step") and not self._checkpoints():
            shutil.rmtree(self.path, ignore_errors=True)

    def save_checkpoint(self, step: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint in one move, then drop all but the latest two."""
        import torch

        partial = self.path / "checkpoints" / ".part"
        content = io.BytesIO()  # torch hides a full disk behind an error of its own
        torch.save(dict(state), content)
        with partial.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path / "checkpoints" / f"step-{step:08d}.pt")
        for old in self._checkpoints()[:-KEPT_CHECKPOINTS]:
            old.unlink()

    @property
    def has_checkpoint(self) -> bool:
        """Return whether there is a checkpoint to go on from."""
        return bool(self._checkpoints())

    def latest_checkpoint(self) -> dict[str, Any] | None:
        """Return the newest checkpoint, or None if the run was stopped before its first.

        One that a failing disk has damaged is passed over: the one before leads to the same end.
        Raises UserError if none can be read.
        """
        import torch

        found = self._checkpoints()
        for path in reversed(found):
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
                continue
            return state
        if found:
            raise UserError(f"no checkpoint in {found[0].parent} can be read; begin a new run")
        return None

    def _checkpoints(self) -> list[Path]:
        return sorted((self.path / "checkpoints").glob("step-*.pt"))


def begun_otherwise(run: Run, name: str, asked: object) -> UserError:
    """Return the refusal to resume a run with another setting."""
    return UserError(
        f"the run in {run.path} was begun with {name} {getattr(run.settings, name)}, not {asked}; "
        "resume it as it was, or start a new run with another --out"
    )


def _parsed(lines: list[str]) -> list[dict[str, Any]]:
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # the line that was being written when the process was killed
    return records


def _escaped(text: str) -> str:
    for letter, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(letter, escape)
    return plain(text)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
