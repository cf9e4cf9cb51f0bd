"""Work-conserving batches: whatever arrived in one pass of the event loop is one run."""

__all__: list[str] = []
