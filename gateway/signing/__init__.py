"""Signatures of bundles, in the form of OpenSSF Model Signing: who made these files, and all of them."""

__all__: list[str] = []
