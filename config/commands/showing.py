"""How results are shown: in colours on a terminal, as plain text elsewhere, as JSON where it is asked for."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from config.settings import refuses_colour

BOLD, RED, GREEN, YELLOW = 1, 31, 32, 33
# what stands at the start of a line, and how it is painted
MARKS = (
    (re.compile(r"bt-[0-9a-f]{12} \w+: .*"), BOLD),
    (re.compile(r"Believe it\? .*"), BOLD),
    (re.compile(r"- (fatal|serious), \w+|FAIL"), RED),
    (re.compile(r"- minor, \w+|Know this:"), YELLOW),
    (re.compile(r"ok\b|identical\b"), GREEN),
)


def show(text: str) -> None:
    """Print the text, in colours where somebody sees them."""
    print(painted(text) if sys.stdout.isatty() and not refuses_colour() else text)


def show_json(told: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """Print the structured answer."""
    if isinstance(told, BaseModel):
        told = told.model_dump(mode="json")
    elif not isinstance(told, dict):
        told = {"results": [each.model_dump(mode="json") for each in told]}
    print(json.dumps(told, indent=2, allow_nan=False))


def painted(text: str) -> str:
    """Return the text with the starts of lines painted that are looked for first."""
    return "\n".join(map(_painted, text.split("\n")))


def _painted(line: str) -> str:
    for mark, colour in MARKS:
        if found := mark.match(line):
            return f"\x1b[{colour}m{found[0]}\x1b[0m{line[found.end() :]}"
    return line
