"""Evidence on live streams: rows counted by the second they were answered in, judged when the second is over."""

__all__: list[str] = []
