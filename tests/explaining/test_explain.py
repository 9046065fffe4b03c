"""`selfsight explain` as a person uses it: files, page, and one line for every mistake."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_images import scenes, untaught
from PIL import Image

import selfsight
from selfsight.cli import main
from selfsight.errors import UserError
from selfsight.formats import save_encoder
from selfsight.reporting.explanation import write_page


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw coarse maps: here it matters that they are drawn, not how well."""
    from selfsight.explaining import faithfulness, makers
    from selfsight.explaining.integrated import IntegratedGradients
    from selfsight.explaining.occlusion import Occlusion
    from selfsight.explaining.relax import Relax

    monkeypatch.setattr(faithfulness, "RANDOM_ORDERS", 3)
    monkeypatch.setattr(makers, "Relax", lambda seed: Relax(masks=12, seed=seed))
    monkeypatch.setattr(
        makers, "IntegratedGradients", lambda: IntegratedGradients(steps=4, most_steps=4)
    )
    monkeypatch.setattr(makers, "Occlusion", lambda: Occlusion(side=8, stride=8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 16 wide and tall images in class folders with nasty names."""
    root = tmp_path_factory.mktemp("images")
    pixels, classes, _ = scenes(16, seed=0)
    for row, (image, kind) in enumerate(zip(pixels, classes.tolist(), strict=True)):
        eight = (image * 255).byte().permute(1, 2, 0).numpy()
        wide = np.concatenate([eight, eight[:, ::-1][:, : 4 * (row % 3)]], axis=1)
        (root / f"<kind {kind}>&").mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(wide)).save(root / f"<kind {kind}>&" / f"{row}.png")
    return root


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "small.safetensors"
    save_encoder(untaught(side=16), path, notes={"method": "simclr"})
    return path


@pytest.mark.parametrize("toward", ["itself", "neighbour", "cluster", "label"])
def test_every_target_gives_maps_with_scores_and_a_page(
    toward: str, folder: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["explain", str(file), str(folder), "--toward", toward, "--count", "2"]
    words += ["--out", str(out), "--cache", str(tmp_path / "cache"), "--maps", "gradcam,occlusion"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert re.search(r"Grad-CAM (may|is).* here: .*\[.* s an image\]", told)
    assert f"page: {out / 'report.html'}" in told
    found = json.loads((out / "faithfulness.json").read_text())
    assert found["protocol"]["toward"] == toward
    (side,) = found["encoders"]
    assert list(side["maps"]) == ["gradcam", "occlusion"]
    for each in side["maps"].values():
        for test in ("deletion", "insertion"):
            assert len(each[test]["gain by image"]) == 2
            assert set(each[test]["gain by fill"]) == {"mean colour", "blurred"}
            assert each[test]["random spread"] >= 0
        assert len(each["randomised"]["by image"]) == 2
    with np.load(out / "maps.npz") as arrays:
        assert arrays["encoder/gradcam"].shape == (2, 16, 16)
        assert arrays["encoder/seen"].shape == (2, 3, 16, 16)
        assert arrays["shared/here"].shape == (2, 3, 16, 16)
        for row, path in enumerate(arrays["paths"]):  # whole images, whatever their shape
            with Image.open(folder / str(path)) as image:
                assert arrays[f"picture/{row}"].shape == (3, image.height, image.width)


def test_two_encoders_stand_side_by_side(folder: Path, file: Path, tmp_path: Path) -> None:
    found = selfsight.explain(
        file,
        folder,
        beside=untaught(side=24),
        maps="gradcam",
        against="others",
        count=2,
        seed=1,
        out=tmp_path / "out",
        cache=str(tmp_path / "cache"),
        quiet=True,
    )
    assert [side.name for side in found.encoders] == ["small (convnet, simclr)", "convnet"]
    assert found.encoders[1].checked["gradcam"].maps.values.shape == (2, 24, 24)
    *told, cut = found.lines()
    assert all(line.startswith(("small", "convnet: ")) for line in told)
    assert "not square" in cut
    page = found.report.read_text()
    assert page.count('class="who">small (convnet, simclr)') == 2
    assert "put the same places first" in page
    told = json.loads((tmp_path / "out" / "faithfulness.json").read_text())
    (values,) = told["agreement of the encoders"].values()
    assert len(values["by image"]) == 2
    assert "less the mean similarity to other images" in page


def test_a_page_is_one_file_that_shows_each_map_and_escapes_names(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    found = selfsight.explain(
        file, folder, count=4, maps="relax,integrated", out=tmp_path / "out",
        cache=str(tmp_path / "cache"), quiet=True,
    )  # fmt: skip
    page = found.report.read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<kind" not in page
    assert "&lt;kind 1&gt;&amp;" in page
    for title in ("RELAX", "RELAX, uncertainty", "Integrated gradients"):
        assert page.count(f'alt="{title} of') == 4
    assert "Attention, head by head" not in page
    assert found.encoders[0].checked["relax"].trust.sentence.replace("'", "’") in page
    (tmp_path / "out" / "maps.npz").write_bytes(b"broken")
    with pytest.raises(UserError, match="holds no whole explanation"):
        write_page(tmp_path / "out")


def test_arrays_of_any_channels_and_shape_are_explained_and_repeat(tmp_path: Path) -> None:
    images = torch.rand(5, 4, 20, 30, generator=torch.Generator().manual_seed(0))
    encoder = untaught(channels=4, side=16)
    both = [
        selfsight.explain(encoder, images, out=tmp_path / name, count=2, quiet=True)
        for name in ("one", "two")
    ]
    assert list(both[0].encoders[0].checked) == ["gradcam", "integrated", "occlusion", "relax"]
    for kind, each in both[0].encoders[0].checked.items():
        again = both[1].encoders[0].checked[kind]
        assert torch.equal(each.maps.values, again.maps.values)
        assert each.order.deletion.mean == again.order.deletion.mean
    with np.load(tmp_path / "one" / "maps.npz") as arrays:
        assert arrays["picture/0"].shape == (3, 20, 30)
        assert arrays["encoder/seen"].shape == (2, 4, 16, 16)


def test_a_transformer_has_attention_and_one_image_is_enough(tmp_path: Path) -> None:
    image = scenes(1, seed=0)[0]
    found = selfsight.explain(
        untaught("test_vit", side=64), image, maps="attention", out=tmp_path / "out", quiet=True
    )
    sentence = found.encoders[0].checked["attention"].trust.sentence
    assert "toward any target" in sentence
    page = found.report.read_text()
    assert page.count('alt="head ') == 2
    assert "What neighbours share" not in page


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--maps", "attention"], ["no attention maps", "leave attention out"]),
        (["--maps", "gradcamm"], ["did you mean 'gradcam'"]),
        (["--maps", ","], ["names no map"]),
        (["--count", "0"], ["count is 0"]),
        (["--toward", "label", "--labels", "none"], ["need labels", "--labels FILE.csv"]),
        (["--toward", "sky"], ["sky"]),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    words: list[str],
    parts: list[str],
    folder: Path,
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    given = ["explain", str(file), str(folder), "--out", str(out), "--cache", str(tmp_path / "c")]
    assert main([*given, *words]) == 2
    told = capsys.readouterr().err.splitlines()
    (line,) = [line for line in told if line.startswith("selfsight: ")]
    for part in parts:
        assert part in line
    assert not out.exists()


def test_image_files_are_explained_one_by_one_and_what_was_cut_is_told(
    folder: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = next(folder.glob("*/1.png"))
    plain = next(folder.glob("*/0.png"))
    words = ["explain", str(file), "--maps", "gradcam", "--cache", str(tmp_path / "c")]
    assert main([*words, str(wide), "--out", str(tmp_path / "one")]) == 0
    told = capsys.readouterr().out
    assert "The image is not square: the encoder saw the central square" in told
    page = (tmp_path / "one" / "report.html").read_text()
    assert "not square" in page and "drawn by the seed" not in page
    with np.load(tmp_path / "one" / "maps.npz") as arrays:
        assert arrays["paths"].tolist() == [wide.name]
        assert arrays["encoder/seen"].shape == (1, 3, 16, 16)
    assert main([*words, str(wide), str(plain), "--count", "1", "--out", str(tmp_path / "b")]) == 0
    assert "1 of 2 images are not square" in capsys.readouterr().out
    found = json.loads((tmp_path / "b" / "faithfulness.json").read_text())
    assert found["images"] == [wide.name, plain.name]
    assert main([*words, str(plain), "--out", str(tmp_path / "s")]) == 0
    assert "not square" not in capsys.readouterr().out


def test_files_alone_have_nothing_to_be_compared_with(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    one = next(folder.glob("*/*.png"))
    (tmp_path / "text.png").write_text("no image")
    for images, words, said in (
        (one, {"toward": "neighbour"}, "toward neighbour needs a folder"),
        ([one, one], {"toward": "cluster"}, "toward cluster needs a folder"),
        (one, {"against": "others"}, "against others needs a folder"),
        (one, {"labels": "labels.csv"}, "labels have no effect"),
        ([one, tmp_path / "none.png"], {}, "no image file .*none.png"),
        ([folder, one], {}, "no image file"),
        (tmp_path / "text.png", {}, "cannot read .*text.png"),
        ([], {}, "no image is given"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            selfsight.explain(file, images, out=tmp_path / "out", quiet=True, **words)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "out").exists()


def test_a_stopped_explanation_goes_on_and_ends_alike(
    folder: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explained(name: str, **other: object) -> selfsight.commands.explaining.Explanation:
        given = {"maps": "gradcam", "count": 2, "toward": "neighbour"} | other
        return selfsight.explain(
            file, folder, out=tmp_path / name, cache=str(tmp_path / "c"), quiet=True, **given
        )

    whole = explained("whole")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("selfsight.explaining.faithfulness._areas", stop)
        with pytest.raises(KeyboardInterrupt, match=r"3 parts .*the same command goes on"):
            explained("stopped")
    assert not (tmp_path / "stopped" / "report.html").exists()
    for other in ({"seed": 1}, {"maps": "auto"}, {"count": 3}, {"toward": "itself"}):
        with pytest.raises(UserError, match=r"was begun with .*choose another --out"):
            explained("stopped", **other)
    monkeypatch.setattr("selfsight.explaining.explanation.draw", stop)  # all maps are there
    found = explained("stopped")
    for kind, each in whole.encoders[0].checked.items():
        again = found.encoders[0].checked[kind]
        assert torch.equal(again.maps.values, each.maps.values)
        assert again.trust == each.trust
        assert again.order.insertion.mean == each.order.insertion.mean
    with (
        np.load(tmp_path / "whole" / "maps.npz") as one,
        np.load(tmp_path / "stopped" / "maps.npz") as other_file,
    ):
        assert set(one) == set(other_file)
        assert all(np.array_equal(one[name], other_file[name]) for name in one)
    assert not (tmp_path / "stopped" / "parts").exists()


def test_encoders_of_different_channels_cannot_stand_side_by_side(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="different channels"):
        selfsight.explain(
            untaught(side=16), torch.rand(2, 3, 16, 16), beside=untaught(channels=1, side=16),
            out=tmp_path / "out", quiet=True,
        )  # fmt: skip


def test_nothing_is_written_among_the_images_or_over_other_files(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="lies in the image folder"):
        selfsight.explain(file, folder, out=folder / "out", quiet=True)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        selfsight.explain(file, folder, out=tmp_path, quiet=True)
