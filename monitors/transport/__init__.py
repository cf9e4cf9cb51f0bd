"""How records travel: documents as JSON, frames as msgpack over Unix sockets."""

__all__: list[str] = []
