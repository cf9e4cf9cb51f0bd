"""``weir monitor replay``: a table or a prediction log through the evidence that watches live traffic."""

__all__: list[str] = []
