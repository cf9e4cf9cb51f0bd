"""What a version says of itself, for people and for inventories: model cards and bills of materials."""

__all__: list[str] = []
