"""The layers of an encoder and of a run's method, as one callable."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import selfsight
from selfsight import methods
from selfsight.errors import UserError
from selfsight.layered import encoder_layers, run_layers, trained_method
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.nets.heads import mlp

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
HEADED = {
    *("simclr", "moco", "moco_v3", "nnclr", "byol", "simsiam", "barlow_twins", "vicreg"),
    *("swav", "dino", "emp_ssl"),
}


def encoder(name: str) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, image_size=32, mean=[0.5] * 3, std=[0.2] * 3)


def test_the_layers_are_stages_output_and_head_in_order() -> None:
    network = encoder("convnet")
    head = mlp([network.dim, 24, 8]).train()
    found = encoder_layers(network, head=head)(PIXELS)
    stages = [name for name in found if name.startswith("stage")]
    assert [*found] == [*stages, "encoder", "head 1", "head 2"]
    assert len(stages) >= 3
    assert np.allclose(found["encoder"], network.encode(torch.from_numpy(PIXELS)).numpy())
    assert found["head 1"].shape == (5, 24)
    assert (found["head 1"] >= 0).all()  # after its ReLU
    assert found["head 2"].shape == (5, 8)
    assert head.training


def test_without_a_head_the_output_is_the_last_layer() -> None:
    assert [*encoder_layers(encoder("convnet"), head=nn.Sequential())(PIXELS)][-1] == "encoder"


@pytest.mark.parametrize("name", methods.names())
def test_the_head_of_every_method_that_has_one_takes_the_exported_features(name: str) -> None:
    kind = methods.find(name)
    method = kind(encoder(kind.smallest_encoder))
    found = encoder_layers(method.exported, head=method.projection_head)(PIXELS)
    assert ("head 1" in found) == (name in HEADED)


def test_the_layers_of_a_run_are_those_of_its_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pacmap", None)
    run = selfsight.train(
        "digits", out=tmp_path / "run", method="dino", encoder="convnet", size=16, steps=2,
        batch=32, threads=1, precision="fp32", quiet=True, labels="none",
        method_settings={"outputs": 16},
    )  # fmt: skip
    found = run_layers(run)(PIXELS)
    exported = run.encoder.encode(torch.from_numpy(PIXELS)).numpy()
    assert np.allclose(found["encoder"], exported, atol=1e-6)
    assert trained_method(run).projection_head[0].in_features == run.encoder.dim
    for path in (run.path / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no checkpoints any more"):
        run_layers(run)
