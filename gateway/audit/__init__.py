"""The audit chain as something that can be checked without trusting who keeps it: trees, checkpoints, exports."""

__all__: list[str] = []
