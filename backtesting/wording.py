"""What pydantic complains of, in plain words: what would be right."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

OBJECT, NUMBER, WHOLE, SWITCH, LIST = (
    "an object of names and values",
    "a number",
    "a whole number",
    "true or false",
    "a list",
)
DAY = "a day is written like 2005-01-03"
# by the first word of pydantic's type of error
KINDS: Mapping[str, str] = {
    "bool": SWITCH,
    "dict": OBJECT,
    "float": NUMBER,
    "finite": "a finite number",
    "int": WHOLE,
    "list": LIST,
    "model": OBJECT,
    "set": LIST,
    "string": "text",
    "tuple": LIST,
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "has to be above {gt:g}",
    "greater_than_equal": "has to be at least {ge:g}",
    "less_than": "has to be below {lt:g}",
    "less_than_equal": "has to be at most {le:g}",
    "multiple_of": "has to be a multiple of {multiple_of}",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "has less than {min_length} characters",
    "too_long": "holds {actual_length}, may hold {max_length} at most",
    "too_short": "holds {actual_length}, has to hold {min_length} at least",
}
COSTS = 'rates such as {"commission": 0.001, "slippage": 0.0005}'
FRACTION_OR_ATR = 'a number, the fraction of the price such as 0.05, or {"atr": 2, "period": 14}'
# fields that may be written in several forms, of which pydantic names the one it tried last
FORMS: Mapping[str, str] = {
    "costs": f"a preset (us_equity, crypto, fx, zero), or {COSTS}",
    "sizing": 'an object such as {"method": "fixed_cash", "amount": 5000}',
    "stop_loss": FRACTION_OR_ATR,
    "take_profit": FRACTION_OR_ATR,
    "trailing_stop": FRACTION_OR_ATR,
}


def wanted(detail: "ErrorDetails", name: str) -> str:
    """Return what would be right for the field of this name; for what is seldom, in pydantic's own words."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in BOUNDS:
        return BOUNDS[kind].format_map(context)
    if kind == "string_pattern_mismatch":
        return "holds characters that are not allowed here"
    if kind.startswith("date"):
        return DAY
    form = FORMS.get(name) or KINDS.get(kind.partition("_")[0])
    return f"has to be {form}" if form else f"{detail['msg'][0].lower()}{detail['msg'][1:]}"


def also(path: str) -> str:
    """Return what a field may be besides the values it can name."""
    return f"; or {COSTS}" if path == "costs" else ""


def choices(detail: "ErrorDetails") -> tuple[str, ...]:
    """Return the values among which one had to be named, none where it is not about that."""
    if detail["type"] not in ("literal_error", "enum", "union_tag_invalid"):
        return ()
    context = detail["ctx"]
    return tuple(re.findall("'([^']*)'", str(context.get("expected_tags") or context["expected"])))


def names_at(fields: Mapping[str, Any], path: Sequence[str]) -> tuple[str, ...]:
    """Return the names a model with these fields may hold at the end of the path."""
    for step in path:
        inner = list(_models(fields[step].annotation)) if step in fields else []
        fields = {name: field for model in inner for name, field in model.model_fields.items()}
    return tuple(fields)


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the models within unions, lists and annotations."""
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
