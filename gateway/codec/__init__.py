"""Bytes to tensors and back: one file a protocol, no I/O."""

__all__: list[str] = []
