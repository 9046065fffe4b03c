"""timm's weights are taken from this disk or not at all."""

from pathlib import Path

import pytest
import torch

from selfsight.assessment.weights import timm_encoder
from selfsight.errors import UserError

NAME = "test_resnet.r160_in1k"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_weights_that_are_not_here_are_not_fetched(hub, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("looked beyond this disk")

    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(UserError, match="nothing is downloaded"):
        timm_encoder(NAME)
    assert not any(hub.rglob("*.safetensors"))


def test_weights_in_the_cache_become_an_encoder_with_their_own_size_and_statistics(hub):
    import timm
    from safetensors.torch import save_file

    model = timm.create_model(NAME, pretrained=False)
    commit = hub / f"models--timm--{NAME}" / "snapshots" / "abc"
    commit.mkdir(parents=True)
    (commit.parent.parent / "refs").mkdir()
    (commit.parent.parent / "refs" / "main").write_text("abc")
    save_file(model.state_dict(), commit / "model.safetensors")
    encoder = timm_encoder(NAME)
    assert encoder.image_size == 160
    images = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        model.eval()
        pixels = (images - encoder.mean[:, None, None]) / encoder.std[:, None, None]
        expected = model.forward_head(model.forward_features(pixels), pre_logits=True)
    assert torch.allclose(encoder.encode(images), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18.no_such_weights", "no_such_network"])
def test_unknown_weights_are_an_error_of_one_line(name):
    with pytest.raises(UserError, match="no trained weights"):
        timm_encoder(name)
