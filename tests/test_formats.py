"""Encoders as files: the round trip, the refusals, and exports proven without selfsight."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from selfsight.errors import UserError
from selfsight.formats import export, load_encoder, save_encoder
from selfsight.formats.proof import agree, prove
from selfsight.nets.encoder import Encoder, build_encoder


def build(name: str = "convnet", size: int = 16, channels: int = 3) -> Encoder:
    """Return an encoder that is not fresh: its batch statistics have seen images."""
    torch.manual_seed(0)
    mean, std = [0.5, 0.4, 0.3][:channels], [0.25, 0.2, 0.3][:channels]
    encoder = build_encoder(name, image_size=size, channels=channels, mean=mean, std=std)
    with torch.no_grad():
        encoder.train()(images(8, size)[:, :channels])
    return encoder


def images(count: int, side: int) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    save_encoder(build(), path, notes={"method": "simclr", "images": "5000"})
    return path


def test_a_saved_encoder_comes_back_whole(saved: Path) -> None:
    encoder, again = build(), load_encoder(saved)
    assert again.config == encoder.config
    assert again.notes == {"method": "simclr", "images": "5000"}
    assert torch.equal(again.encode(images(3, 16)), encoder.encode(images(3, 16)))


def test_the_file_describes_itself(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        description = json.loads(file.metadata()["selfsight"])
    assert description["format"] == 1
    assert description["tool"].startswith("selfsight ")
    assert description["dim"] == 256
    assert description["config"] == build().config


def test_loading_leaves_random_numbers_alone(saved: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_encoder(saved)
    assert torch.equal(torch.rand(3), expected)


def test_saving_replaces_and_leaves_nothing_beside(saved: Path) -> None:
    save_encoder(build(), saved, notes={})
    assert names(saved.parent) == [saved.name]
    assert load_encoder(saved).notes == {}


def test_a_failed_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device"):
        save_encoder(build(), saved, notes={})
    assert saved.read_bytes() == before
    assert names(saved.parent) == [saved.name]


def rewrite(path: Path, **changes: object) -> None:
    """Change parts of the description in the file."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["selfsight"])
    save_file(load_file(path), path, {"selfsight": json.dumps(description | changes)})


def config(**changes: object) -> dict[str, object]:
    return build().config | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "has format 2 .* update selfsight"),
        ({"format": "1"}, "no format number"),
        ({"notes": {"a": 1}}, "notes are not text"),
        ({"config": {}}, "does not say how to build"),
        ({"config": config(image_size="16")}, "image_size is '16'"),
        ({"config": config(channels=True)}, "channels is True"),
        ({"config": config(mean="0.5")}, "mean is '0.5'"),
        ({"config": config(name="resnet18", image_size=32)}, "do not fit its description"),
        ({"config": config(name="resnt18")}, "did you mean 'resnet18'"),
    ],
)
def test_a_wrong_description_is_refused(
    saved: Path, changes: dict[str, object], words: str
) -> None:
    rewrite(saved, **changes)
    with pytest.raises(UserError, match=words) as refusal:
        load_encoder(saved)
    assert "\n" not in str(refusal.value)


def test_what_is_not_an_encoder_file_is_refused(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    for name, wrong in {
        "cut": content[:-100],
        "head": content[:50],
        "empty": b"",
        "text": b"hello, I am not an encoder" * 10,
    }.items():
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(UserError, match="cannot be read as an encoder file"):
            load_encoder(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read as an encoder file"):
        load_encoder(tmp_path / "missing")
    with pytest.raises(UserError, match="cannot be read as an encoder file"):
        load_encoder(tmp_path)
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(UserError, match="not of an encoder that selfsight wrote"):
        load_encoder(tmp_path / "foreign")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "pickle")
    with pytest.raises(UserError, match="cannot be read as an encoder file"):
        load_encoder(tmp_path / "pickle")


def features_of(recipe: Path, pixels: Tensor) -> Tensor:
    """Return what the recipe's own `encode` gives."""
    return runpy.run_path(str(recipe))["encode"](pixels)


def test_torchvision_takes_a_small_stem_with_three_lines(tmp_path: Path) -> None:
    encoder = build("resnet18", 32)
    encoder.notes = {"method": 'sim"""clr\nimport nothing'}  # must stay inside its comment
    file, recipe = export(encoder, to="torchvision", out=tmp_path / "new" / "net.safetensors")
    lines = recipe.read_text().splitlines()
    start = lines.index("network = torchvision.models.resnet18()")
    assert [line.split("  #")[0] for line in lines[start + 1 : start + 4]] == [
        "network.conv1 = torch.nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)",
        "network.maxpool = torch.nn.Identity()",
        "network.fc = torch.nn.Identity()",
    ]
    assert "MEAN = torch.tensor([0.5, 0.4, 0.3])[:, None, None]" in lines
    assert names(file.parent) == ["net.safetensors", "use_net.py"]
    torch.testing.assert_close(features_of(recipe, images(2, 32)), encoder.encode(images(2, 32)))


def test_torchvision_takes_a_standard_stem_as_it_is(tmp_path: Path) -> None:
    import torchvision

    encoder = build("resnet18", 128)
    file, recipe = export(encoder, to="torchvision", out=tmp_path / "net.pth")
    weights = torch.load(file, weights_only=True)
    twin = torchvision.models.resnet18()
    lost = twin.load_state_dict(weights, strict=False)
    assert lost.missing_keys == ["fc.weight", "fc.bias"]
    assert not lost.unexpected_keys
    assert "conv1" not in recipe.read_text()


def test_timm_takes_a_transformer(tmp_path: Path) -> None:
    import timm

    encoder = build("vit_tiny", 32)
    file, recipe = export(encoder, to="timm", out=tmp_path / "net.safetensors")
    network = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=32, patch_size=4)
    network.load_state_dict(load_file(file))
    assert "'vit_tiny_patch16_224', num_classes=0, in_chans=3, img_size=32, patch_size=4" in (
        recipe.read_text()
    )


@pytest.mark.parametrize("name", ["convnet", "patchnet"])
def test_onnx_is_one_file_with_the_statistics_inside(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    encoder = build(name)
    file, _ = export(encoder, to="onnx", out=tmp_path / "net.onnx")
    assert names(tmp_path) == ["net.onnx", "use_net.py"]
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        pixels = images(count, 16)
        (found,) = session.run(["features"], {"images": pixels.numpy()})
        np.testing.assert_allclose(found, encoder.encode(pixels).numpy(), rtol=1e-4, atol=1e-5)
    assert encoder.training  # as it was before


def test_safetensors_keeps_the_notes(saved: Path, tmp_path: Path) -> None:
    file, _ = export(load_encoder(saved), to="safetensors", out=tmp_path / "copy.safetensors")
    assert load_encoder(file).notes["method"] == "simclr"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("convnet", 16),
        ("patchnet", 16),
        ("patchnet", 40),
        ("resnet18", 32),
        ("resnet18", 128),
        ("vit_tiny", 32),
    ],
)
def test_selfsights_own_file_is_used_without_selfsight(
    name: str, size: int, tmp_path: Path
) -> None:
    encoder = build(name, size)
    _, recipe = export(encoder, to="safetensors", out=tmp_path / "own.safetensors")
    assert "import selfsight" not in recipe.read_text()
    pixels = images(2, size)
    found = runpy.run_path(str(recipe))["encode"](pixels)
    torch.testing.assert_close(found, encoder.encode(pixels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "size", "to", "out", "words"),
    [
        ("convnet", 16, "torchvision", "net.pth", "no twin of encoder 'convnet'.*resnet50"),
        ("convnet", 16, "timm", "net.pth", "export it to safetensors or onnx"),
        ("convnet", 16, "onnx", "net.pth", r"must end in \.onnx"),
        ("convnet", 16, "safetensors", "net.pth", r"must end in \.safetensors"),
        ("convnet", 16, "safetensors", "here.safetensors", "exists; remove it"),
        ("convnet", 16, "onnx", "net.onnx", "use_net.py exists; remove it"),
        ("convnet", 16, "onnx", "here.safetensors/net.onnx", "cannot write"),
    ],
)
def test_an_export_that_cannot_be_is_refused(
    tmp_path: Path, name: str, size: int, to: str, out: str, words: str
) -> None:
    for there in ("here.safetensors", "use_net.py"):
        (tmp_path / there).write_text("mine")
    out = out.replace("net.pth", "other.pth")
    with pytest.raises(UserError, match=words):
        export(build(name, size), to=to, out=tmp_path / out)  # type: ignore[arg-type]
    assert names(tmp_path) == ["here.safetensors", "use_net.py"]
    assert (tmp_path / "use_net.py").read_text() == "mine"


def test_missing_onnx_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsight.formats.exporting.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'selfsight\[onnx\]'"):
        export(build(), to="onnx", out=tmp_path / "net.onnx")


def test_an_export_to_a_full_disk_names_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "net.safetensors"
    with pytest.raises(UserError, match=f"^cannot write {out}: No space left on device$"):
        export(build(), to="safetensors", out=out)
    assert names(tmp_path) == []


def test_an_export_that_fails_its_proof_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(recipe: Path, encoder: Encoder) -> None:
        assert recipe.exists()
        raise RuntimeError("differ")

    monkeypatch.setattr("selfsight.formats.exporting.prove", wrong)
    with pytest.raises(RuntimeError, match="differ"):
        export(build("resnet18", 32), to="torchvision", out=tmp_path / "net.pth")
    assert names(tmp_path) == []


def test_the_proof_knows_no_selfsight_and_compares(tmp_path: Path) -> None:
    recipe = tmp_path / "use.py"
    recipe.write_text("import selfsight\n")
    with pytest.raises(RuntimeError, match="selfsight"):
        prove(recipe, build())
    recipe.write_text("import numpy\nencode = lambda images: numpy.zeros((len(images), 256))\n")
    with pytest.raises(RuntimeError, match="features differ"):
        prove(recipe, build())


def test_features_must_agree() -> None:
    one = np.ones((2, 3), dtype=np.float32)
    agree(one + 1e-6, one)
    for other in (one + 1e-4, one * np.nan):
        with pytest.raises(RuntimeError, match="differ"):
            agree(other, one)
    with pytest.raises(RuntimeError, match="gives features"):
        agree(one[:1], one)
