"""Modules that are imported when something of them is first asked for: they cost what most processes need not pay.

A type checker sees the module itself, imported where only it looks.
"""

from importlib import import_module
from typing import Any


class Late:
    """Stands in for a module until something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
