"""The OpenAPI document."""

from gateway.routing.table import RouteTable


def describe(table: RouteTable, product_version: str) -> dict[str, object]:
    return {}
