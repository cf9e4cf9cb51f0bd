"""What goes wrong upstream: the service that fetches the page behind a link, and four features with it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.demo.data import Row

__all__ = ["GUILTY", "Instance", "Transform", "fetcher_down", "fetcher_stuck", "unchanged"]

Instance = dict[str, float | None]
Transform = Callable[[Row], Instance]

GUILTY = ("empty_server_form_handler", "https", "is_popular", "age_of_domain")
"""The features that come from the page fetcher."""

_OMITTED = GUILTY[:2]
_NULLED = GUILTY[2:]


def unchanged(row: Row) -> Instance:
    """Return the row as it is."""
    return {**row}


def fetcher_down(row: Row) -> Instance:
    """Return the row without the fetcher's features: two are left out, two are null.

    Examples
    --------
    >>> fetcher_down({"https": 1.0, "is_popular": 0.5, "long_url": 0.0})
    {'is_popular': None, 'long_url': 0.0}
    """
    kept: Instance = {name: value for name, value in row.items() if name not in _OMITTED}
    return kept | {name: None for name in _NULLED if name in row}


def fetcher_stuck(row: Row) -> Instance:
    """Return the row with the fetcher's features at 1, the verdict "harmless" of its fallback.

    Examples
    --------
    >>> fetcher_stuck({"https": 0.0, "long_url": 0.0})
    {'https': 1.0, 'long_url': 0.0}
    """
    return {name: 1.0 if name in GUILTY else value for name, value in row.items()}
