"""YAML as people expect it: the core schema of YAML 1.2, no aliases, no key twice."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from gateway.errors import Fault

__all__ = ["YamlRefused", "parse_yaml"]


class YamlRefused(Exception):
    """The text is not the YAML that is read here; ``fault`` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def parse_yaml(data: bytes) -> Any:
    """Return the plain values of one YAML document.

    Notes
    -----
    PyYAML reads YAML 1.1, where ``no`` is a boolean, ``12:30`` a number and ``2024-05-01`` a date. Here these are
    strings; numbers, ``true``, ``false`` and ``null`` are as in JSON. Aliases are refused since a few lines of them
    can stand for gigabytes.

    Raises
    ------
    YamlRefused
        For anything else.
    """
    try:
        return yaml.load(data.decode("utf-8"), _PlainLoader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise YamlRefused(Fault("", "syntax", "a YAML document", f"{error.problem or error.context}{line}")) from error
    except (KeyError, AttributeError, TypeError) as error:  # PyYAML's constructors trust a tag that is written out
        raise YamlRefused(Fault("", "syntax", "a YAML document", "a value does not fit the tag before it")) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise YamlRefused(Fault("", "syntax", "a YAML document", str(error))) from error


def _integer(loader: _PlainLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _number(loader: _PlainLoader, node: yaml.ScalarNode) -> float:
    number = float(loader.construct_scalar(node))
    if math.isinf(number):
        raise ValueError(f"the number {loader.construct_scalar(node)[:40]} is too large")
    return number


def _text(loader: _PlainLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    text.encode("utf-8")  # an escape can spell half a surrogate pair, which is no character
    return text


def _mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    read: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(problem="a key must be a word", problem_mark=key_node.start_mark)
        key = loader.construct_object(key_node)
        if key in read:
            problem = f"key {key!r} stands twice"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key_node.start_mark)
        read[key] = loader.construct_object(value_node, deep=True)
    return read


class _PlainLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 -- PyYAML declares it without ClassVar
        **{c: [("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"))] for c in "tf"},
        **{c: [("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"))] for c in ("n", "~", "")},
        **{
            c: [
                ("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")),
                ("tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")),
            ]
            for c in "-+.0123456789"
        },
    }
    yaml_constructors = {  # noqa: RUF012 -- the same
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:int": _integer,
        "tag:yaml.org,2002:float": _number,
        "tag:yaml.org,2002:map": _mapping,
        "tag:yaml.org,2002:str": _text,
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # untyped in types-PyYAML
            raise yaml.composer.ComposerError(problem="aliases are not read here", problem_mark=mark)
        return super().compose_node(parent, index)
