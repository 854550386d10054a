"""Inequalities between parameters as a user writes them: in Python's grammar, of which arithmetic is read."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from backtesting.errors import shown
from backtesting.types import Booleans

LONGEST = 200  # so that nesting has an end
COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
RECKONED: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.true_divide,
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A comparison of sums and products of parameters and numbers, e.g. `2 * fast_period < slow_period`."""

    text: str
    tree: ast.Compare
    names: frozenset[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a constraint; ValueError says what one looks like."""
        if len(text) > LONGEST:
            raise _unreadable(text)
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError) as error:
            raise _unreadable(text) from error
        if not isinstance(tree, ast.Compare) or not all(type(each) in COMPARED for each in tree.ops):
            raise _unreadable(text)
        for each in (tree.left, *tree.comparators):
            _require_arithmetic(each, text)
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        if not names:
            raise _unreadable(text)
        return cls(text, tree, names)

    def holds(self, values: Mapping[str, Any]) -> Booleans:
        """Tell for each combination whether it holds; values are columns, or numbers that all share."""
        with np.errstate(all="ignore"):
            sides = [_value(each, values) for each in (self.tree.left, *self.tree.comparators)]
        told = [COMPARED[type(op)](*pair) for op, pair in zip(self.tree.ops, pairwise(sides), strict=True)]
        return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*told)), np.bool_)


def _require_arithmetic(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name():
            return
        case ast.Constant(value=int() | float()):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _require_arithmetic(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in RECKONED:
            _require_arithmetic(left, text)
            _require_arithmetic(right, text)
        case _:
            raise _unreadable(text)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=number):
            return np.float64(number)  # type: ignore[arg-type]
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return RECKONED[type(op)](_value(left, values), _value(right, values))
    raise TypeError(ast.dump(node))


def _unreadable(text: str) -> ValueError:
    return ValueError(f"{shown(text)} is no inequality of parameters: write e.g. 'fast_period < slow_period / 2'")
