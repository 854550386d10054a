"""How the command line is read."""

import argparse
import json
from collections.abc import Callable
from datetime import date
from typing import Any, NoReturn

from config.program import Program

Command = Callable[[Program, argparse.Namespace], int]
Commands = Any  # argparse keeps the type of what add_subparsers returns to itself


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def added(commands: Commands, name: str, command: Command) -> argparse.ArgumentParser:
    """Add a command that says of itself what its docstring says."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
    parser.set_defaults(command=command)
    return parser


def with_json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Let the command answer in JSON."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="print the structured answer as JSON")
    return parser


def day(text: str) -> date:
    """Read an ISO day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, write it like 2005-01-03") from None


def setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value as JSON where it is JSON."""
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, json_or_text(value)


def json_or_text(text: str) -> Any:
    """Read what is JSON as JSON, and anything else as it stands, but for what was meant to be JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        if text.startswith(("{", "[")):
            example = """'{"commission": 0.001}'"""
            told = f"{text!r} is not JSON ({error}); names and texts stand in double quotes, as in {example}"
            raise argparse.ArgumentTypeError(told) from None
        return text


def number(text: str) -> Any:
    """Read a number."""
    try:
        return json.loads(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, write it like 0.05") from None
