"""Governance: what a version must have before it takes live traffic, who may say so, and who has said so."""

__all__: list[str] = []
