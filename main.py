"""The command line; without a command, serves MCP over stdio."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from pydantic import ValidationError

from backtesting.errors import BacktestError, InvalidInputError
from config.commands import backtests, data, research, server
from config.commands.parsing import Parser
from config.program import Program
from config.settings import read_settings
from utils.logger import tell

FAMILIES = (server, backtests, research, data)
SIGNAL_EXIT = 128


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = Parser(prog="main.py", description=__doc__)
    parser.set_defaults(command=server.serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for family in FAMILIES:
        family.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = make_parser().parse_args(arguments)
    try:
        program = Program(read_settings())
    except ValidationError as error:
        tell(f"error: {InvalidInputError.of(error)}")
        return 1
    with signals_leave(program):
        try:
            return int(options.command(program, options))
        except BacktestError as error:
            tell(f"error: {error}")
            return 1
        except BrokenPipeError:
            # the reader of our output has left; what is still buffered must not complain at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SIGNAL_EXIT + signal.SIGPIPE


@contextmanager
def signals_leave(program: Program) -> Iterator[None]:
    """Leave the embedded server when a signal ends the process; close everything at the end."""

    def leave(number: int, _: Any) -> NoReturn:
        # an orderly exit would wait for the thread that waits for input
        program.leave()
        logging.shutdown()
        os._exit(SIGNAL_EXIT + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        program.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> NoReturn:
    """Exit without taking the interpreter apart: clients give two seconds, and a busy machine needs one for that."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
