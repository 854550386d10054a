"""Commands that search for parameters and test what they find."""

import argparse
from time import sleep
from typing import Any

from backtesting.jobs.folds import WalkForwardRequest
from backtesting.objective import Objective
from backtesting.reporting.runs import job_line, job_lines
from backtesting.types import BacktestRequest, validated
from backtesting.walk_forward.windows import Scheme
from config.commands.backtests import add_run_options
from config.commands.parsing import Commands, added, setting
from config.program import Program
from utils.logger import tell

LOOK_SECONDS = 0.5
WINDOWS = {
    "train_sessions": "sessions to choose parameters on (default: 504)",
    "test_sessions": "sessions to test the choice on (default: 126)",
    "purge_bars": "bars left out between the two",
    "embargo_bars": "first bars of a test without trading",
}
SPACE = 'values of a parameter: [5,10,20] or {"low":5,"high":50,"step":5} (default: the strategy\'s own ranges)'

WHERE = "which sets to try, e.g. 'fast_period < slow_period / 2'"


def add_to(commands: Commands) -> None:
    """Add the family to the command line."""
    parser = added(commands, "walk-forward", walk_forward)
    parser.add_argument("strategy", help="strategy id, e.g. sma_crossover")
    parser.add_argument("symbol", help="stored symbol, e.g. IBM")
    parser.add_argument("--space", action="append", type=setting, default=[], metavar="NAME=VALUES", help=SPACE)
    parser.add_argument("--where", action="append", default=[], metavar="INEQUALITY", help=WHERE)
    for name, told in WINDOWS.items():
        flag = f"--{name.partition('_')[0]}"
        parser.add_argument(flag, dest=name, type=int, default=argparse.SUPPRESS, metavar="COUNT", help=told)
    parser.add_argument("--anchored", action="store_true", help="train from the first day on, every time")
    parser.add_argument("--metric", default="sharpe_ratio", help="what the choice is best in (default: %(default)s)")
    parser.add_argument("--min-trades", type=int, default=10, metavar="COUNT", help="fewest trades of a choice")
    add_run_options(parser)


def walk_forward(program: Program, options: argparse.Namespace) -> int:
    """Choose parameters on the past again and again, test each choice on what came next, and show how it did."""
    services = program.application().services()
    given: dict[str, Any] = vars(options)
    terms = {name: value for name, value in given.items() if name in BacktestRequest.model_fields}
    parameters = {"parameters": dict(options.set)}
    windows = {name: value for name, value in given.items() if name in Scheme.model_fields}
    asked = validated(
        WalkForwardRequest,
        request=services.engine.whole_request(options.strategy, options.symbol, **parameters, **terms),
        space=dict(options.space) or None,
        constraints=options.where,
        objective=validated(Objective, metric=options.metric, min_trades=options.min_trades),
        scheme=validated(Scheme, **windows),
    )
    job, told = services.jobs.submit(asked), ""
    while job.status.is_open:
        if told != (told := job_line(job)):
            tell(told)
        sleep(LOOK_SECONDS)
        job = services.jobs.get(job.id)
    print("\n".join(job_lines(job)))
    return 0 if job.result else 1
