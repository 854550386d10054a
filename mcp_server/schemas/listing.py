"""Schemas as they are listed: every client reads the list before its first call, so each word has to earn its place."""

from collections.abc import Mapping
from typing import Any

NULL = {"type": "null"}
SILENT = {"title", "minLength", "maxLength", "minItems", "maxItems", "pattern"}  # where they are no properties'


def terse(schema: Any) -> Any:
    """Drop what costs tokens and says little: made-up titles, limits of length, null for what may be left out."""
    if isinstance(schema, list):
        return [terse(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: terse(value) for key, value in schema.items() if key not in SILENT or isinstance(value, dict)}
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"]  # the default
    if kept.get("default", ...) is not None or "anyOf" not in kept:
        return kept
    del kept["default"]
    branches = [branch for branch in kept.pop("anyOf") if branch != NULL]
    return kept | (branches[0] if len(branches) == 1 else {"anyOf": branches})


def outline(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names and types of a reply's fields: a client checks by them, and a model reads the reply itself."""
    return {"type": "object", "properties": {name: _shape(field) for name, field in schema["properties"].items()}}


def _shape(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON type of a field, or those of one that may be null; what is referred to is an object."""
    if "anyOf" in field:
        return {"anyOf": [_shape(branch) for branch in field["anyOf"]]}
    return {"type": field.get("type", "object")}
