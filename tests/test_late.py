"""Modules that are imported when something of them is first asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from backtesting.late import Late

PROJECT = Path(__file__).resolve().parent.parent


def test_nothing_is_imported_before_something_is_asked_for() -> None:
    look = (
        "import sys; from backtesting.late import Late; late = Late('wave'); before = 'wave' in sys.modules;"
        "print(before, late.Error.__module__, 'wave' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", look], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["False", "wave", "True"]


def test_what_a_module_does_not_have_is_missing_as_ever() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = Late("wave").nothing


def test_a_module_that_is_not_installed_is_told_when_it_is_needed() -> None:
    late = Late("no_such_module_at_all")

    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        _ = late.anything
