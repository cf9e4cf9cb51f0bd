"""The small parts that the OpenAPI document is put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "INTEGER",
    "NUMBER",
    "PERCENT",
    "STRING",
    "Part",
    "body_of",
    "list_of",
    "map_of",
    "members",
    "object_of",
    "operation",
    "or_null",
    "path_parameter",
    "ref",
    "with_raw_tensors",
]

Part = dict[str, Any]

STRING: Part = {"type": "string"}
NUMBER: Part = {"type": "number"}
INTEGER: Part = {"type": "integer"}
PERCENT: Part = {"type": "number", "minimum": 0, "maximum": 100, "multipleOf": 0.01}


def ref(name: str) -> Part:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(description: str = "", *, optional: tuple[str, ...] = (), **properties: Part) -> Part:
    """Return the schema of an object whose members are all there, but for those in ``optional``.

    >>> object_of(name={"type": "string"})
    {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
    """
    return {**({"description": description} if description else {}), **members(properties, optional)}


def list_of(items: Part) -> Part:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def map_of(values: Part) -> Part:
    """Return the schema of an object of any members."""
    return {"type": "object", "additionalProperties": values}


def or_null(schema: Part) -> Part:
    """Return the schema of something that may be ``null``."""
    return {"anyOf": [schema, {"type": "null"}]}


def members(properties: Mapping[str, Part], optional: tuple[str, ...] = ()) -> Part:
    """Return the same from a mapping, for names that are no words of Python."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": required} if required else {}),
    }


def operation(tag: str, name: str, summary: str, responses: Mapping[str, Part], **parts: Any) -> Part:
    """Return one operation; ``parts`` are its parameters, body and security."""
    return {"tags": [tag], "operationId": name, "summary": summary, **parts, "responses": dict(responses)}


def body_of(schema: Part, example: Part | None = None, *, required: bool = True) -> Part:
    """Return a JSON request body."""
    content: Part = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"required": required, "content": {"application/json": content}}


def path_parameter(name: str) -> Part:
    """Return the parameter that a path names in braces."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def with_raw_tensors(body: Part) -> Part:
    """Return a body of JSON that may also be JSON with raw tensors behind it."""
    raw: Part = {"schema": {"type": "string", "format": "binary", "description": "The JSON, then raw tensors."}}
    return {**body, "content": {**body["content"], "application/octet-stream": raw}}
