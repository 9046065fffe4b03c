"""Encoders as files: selfsight's own, and those of torchvision, timm and ONNX."""

from selfsight.formats.encoder_file import load_encoder, save_encoder
from selfsight.formats.exporting import export

__all__ = ["export", "load_encoder", "save_encoder"]
