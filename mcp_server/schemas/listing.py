"""Schemas as they are listed: every client reads the list before its first call, so each word has to earn its place."""

from collections.abc import Mapping
from typing import Any


def untitled(schema: Any) -> Any:
    """Drop the titles pydantic makes up from names: they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: untitled(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}


def outline(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names and types of a reply's fields: a client checks by them, and a model reads the reply itself."""
    return {"type": "object", "properties": {name: _shape(field) for name, field in schema["properties"].items()}}


def _shape(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON type of a field, or those of one that may be null; what is referred to is an object."""
    if "anyOf" in field:
        return {"anyOf": [_shape(branch) for branch in field["anyOf"]]}
    return {"type": field.get("type", "object")}
