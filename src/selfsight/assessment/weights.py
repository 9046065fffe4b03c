"""timm's trained weights as an encoder, if they lie on this disk. Nothing is ever fetched.

They are looked for where timm keeps them: in the cache of the Hugging Face hub, as safetensors.
"""

from pathlib import Path
from typing import Any

import torch

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder


def timm_encoder(name: str) -> Encoder:
    """Return timm's model `name` with its own trained weights, image size and pixel statistics.

    Raises UserError for an unknown name, and where the weights are not on the disk.
    """
    import timm
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from timm.models import get_pretrained_cfg

    try:
        cfg = get_pretrained_cfg(name)
    except RuntimeError:  # a network that timm has, but no such weights of it
        cfg = None
    if cfg is None or not cfg.hf_hub_id:
        raise UserError(f"timm has no trained weights {name!r}; see timm.list_pretrained()")
    place = _on_disk(cfg)
    if place is None:
        raise UserError(
            f"the weights timm:{name} are not on this disk, and nothing is downloaded; "
            f"fetch {cfg.hf_hub_id} from the Hugging Face hub yourself, or leave it out"
        )
    try:
        overlay = {"state_dict": load_file(place)}
        with torch.random.fork_rng(devices=[]):  # the random weights are overwritten at once
            network = timm.create_model(
                name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
            )
    except (RuntimeError, OSError, SafetensorError) as fault:
        why = " ".join(str(fault).split())[:200]
        raise UserError(f"the weights timm:{name} in {place} cannot be used: {why}") from fault
    return Encoder(
        network,
        name=f"timm:{name}",
        image_size=int(cfg.input_size[-1]),
        stem="standard",
        mean=cfg.mean,
        std=cfg.std,
    )


def _on_disk(cfg: Any) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(cfg.hf_hub_id, "model.safetensors")
    return Path(found) if isinstance(found, str) else None
