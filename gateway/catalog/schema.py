"""The JSON Schema of ``model.yaml``, generated from the dataclasses that read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from gateway.catalog.manifest import Manifest

__all__ = ["manifest_schema", "schema_text"]

_SCALARS: Final = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def manifest_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) as plain values.

    What it cannot say is checked at load: names must be unique, a range must not end before it starts, and a rule is of
    exactly one kind and can be broken.
    """
    definitions: dict[str, Any] = {}
    root = _object(Manifest, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "model.yaml, the manifest of a model version",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """Return the schema as the text of ``model.schema.json``, the committed copy for editors and people."""
    return json.dumps(manifest_schema(), indent=2) + "\n"


def _object(type_: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(type_)
    properties = {declared.name: _member(declared, hints, definitions) for declared in fields(type_)}
    required = [f.name for f in fields(type_) if f.default is MISSING and f.default_factory is MISSING]
    return {
        "description": " ".join(cleandoc(type_.__doc__).split()),
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _member(declared: Field[Any], hints: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = {**_schema(hints[declared.name], definitions), **declared.metadata}
    simple = declared.default is not MISSING and isinstance(declared.default, str | int | float)
    return {**schema, "default": declared.default} if simple else schema


def _schema(type_: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(type_), get_args(type_)
    if is_dataclass(type_):
        name = getattr(type_, "__name__", "")
        if name not in definitions:
            definitions[name] = _object(type_, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is Literal:
        return {"const": args[0]} if len(args) == 1 else {"enum": list(args)}
    if origin in (Union, UnionType):
        return _union(args, definitions)
    if origin is tuple and args[-1] is not Ellipsis:
        items = [_schema(arg, definitions) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(args), "maxItems": len(args)}
    if origin is tuple:
        return {"type": "array", "items": _schema(args[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(args[1], definitions)}
    return {"type": _SCALARS[type_]}


def _union(arms: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if all(arm in _SCALARS for arm in arms):
        return {"type": [_SCALARS[arm] for arm in arms]}
    return {"anyOf": [_schema(arm, definitions) for arm in arms]}
