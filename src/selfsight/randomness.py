"""torch's random state, kept from what others draw."""

from contextlib import AbstractContextManager

import torch


def own_randomness(device: torch.device) -> AbstractContextManager[None]:
    """Return a context after which the random state, of the device too, is what it was before."""
    if device.type == "cpu":
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[device.index or 0], device_type=device.type)
