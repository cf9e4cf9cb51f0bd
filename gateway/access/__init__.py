"""Who may do what: roles, the tokens that carry them, and those whom another issuer names."""

__all__: list[str] = []
