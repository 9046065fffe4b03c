"""Networks: the encoder (any timm network or our own small one), its stem, and the heads on it."""
