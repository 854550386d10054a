"""Injects one fault at a time into a copy of the source and asserts that the tests notice.

Run it by hand: `python tests/mutation_check.py`, or with the names of faults. It takes some minutes and is no part of
the test suite; its exit code is the number of faults that no test caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("backtesting", "config", "database", "mcp_server", "tests", "utils", "main.py", "pyproject.toml", "README.md")
KERNEL = "backtesting/stop_kernel"

SCHEDULED = "    if not rules.at_close:\n        due_exits(book, now.open)\n"
GAPPED = "    if state.units != 0:\n        at_the_open(book)\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong line in the place of a right one, and the test files that are to notice."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "fill bar",
        "backtesting/decisions.py",
        'return 0 if self.fill == "same_close" else self.options.delay_bars',
        "return 0",
        ("test_simulation",),
    ),
    Fault(
        "fill at the same bar's open",
        "backtesting/decisions.py",
        "return decided[reach : len(decided) - self.delay]",
        "return decided[self.history :]",
        ("test_simulation",),
    ),
    Fault(
        "fee",
        "backtesting/simulation.py",
        "fees=np.array([costs.commission, costs.commission, 0.0])",
        "fees=np.array([0.0, costs.commission, 0.0])",
        ("test_simulation",),
    ),
    Fault(
        "a crossing from a touch in a sweep",
        "backtesting/sweep_kernel/scan.py",
        "& (upper[at] - lower[at] <= 0)",
        "& (upper[at] - lower[at] < 0)",
        ("test_sweep",),
    ),
    Fault(
        "conflict in a sweep",
        "backtesting/sweep_kernel/loop.py",
        "terms.exit_crosses, found):",
        "terms.exit_crosses, found) and False:",
        ("test_sweep",),
    ),
    Fault(
        "drawdown of a sweep",
        "backtesting/sweep_kernel/account.py",
        "lowest = min(lowest, trough / peak)\n            peak = trough = equity",
        "peak = trough = equity",
        ("test_sweep",),
    ),
    Fault(
        "fee of our kernel",
        f"{KERNEL}/account.py",
        "fee: float = price * quantity * rules.commission",
        "fee: float = quantity * rules.commission",
        ("test_contract_costs",),
    ),
    Fault(
        "minimum fee",
        f"{KERNEL}/account.py",
        "return max(fee, least)",
        "return fee",
        ("test_contract_costs",),
    ),
    Fault(
        "slippage",
        "backtesting/simulation.py",
        "slippage=np.array([costs.slippage, costs.slippage, 0.0])",
        "slippage=np.array([0.0, costs.slippage, 0.0])",
        ("test_simulation",),
    ),
    Fault(
        "slippage of exits of our kernel",
        f"{KERNEL}/account.py",
        "fill = price * (1 - sign * slippage)",
        "fill = price * (1 + sign * slippage)",
        ("test_contract_costs",),
    ),
    Fault(
        "slippage of stops",
        f"{KERNEL}/stops.py",
        "sell_out(book, price, STOPPED if level == book.state.stop else TRAILED)",
        "leave(book, price, 0.0, STOPPED if level == book.state.stop else TRAILED)",
        ("test_contract_stops",),
    ),
    Fault(
        "stop order: target first",
        f"{KERNEL}/stops.py",
        "if is_target and (book.rules.optimistic or not is_stopped):",
        "if is_target:",
        ("test_contract_stops",),
    ),
    Fault(
        "stop order: stops before scheduled exits",
        f"{KERNEL}/loop.py",
        SCHEDULED + GAPPED,
        GAPPED + SCHEDULED,
        ("test_contract_stops",),
    ),
    Fault(
        "gaps fill at the level",
        f"{KERNEL}/stops.py",
        "stop_out(book, price, level)\n    elif",
        "stop_out(book, level, level)\n    elif",
        ("test_contract_stops",),
    ),
    Fault(
        "own high raises the trail",
        f"{KERNEL}/stops.py",
        "    is_stopped, is_target = is_touched(worst, level, sign)",
        "    level = raised\n    is_stopped, is_target = is_touched(worst, level, sign)",
        ("test_contract_stops",),
    ),
    Fault(
        "entry bar without stops",
        f"{KERNEL}/loop.py",
        "    if state.units != 0:\n        inside(book)",
        "    if state.units != 0 and state.entry_bar != now.bar:\n        inside(book)",
        ("test_contract_stops",),
    ),
    Fault(
        "annualisation",
        "backtesting/metrics/returns.py",
        "return product(per_session, sqrt(evidence.periods_per_year))",
        "return product(per_session, sqrt(365.0))",
        ("test_metrics",),
    ),
    Fault(
        "warm-up",
        "backtesting/evaluation.py",
        "first_defined(series, max(first_fill(plan, loaded) - delay, 0), bars - delay)",
        "max(first_fill(plan, loaded) - delay, 0)",
        ("test_engine",),
    ),
    Fault(
        "RSI smoothing",
        "backtesting/indicators/oscillators.py",
        "gain = smoothed(np.maximum(change, 0), period, 1 / period)",
        "gain = smoothed(np.maximum(change, 0), period, 2 / (period + 1))",
        ("test_indicators",),
    ),
    Fault(
        "open trades counted as closed",
        "backtesting/metrics/evidence.py",
        "return ~self.simulation.trades.is_open",
        "return self.simulation.trades.is_open | True",
        ("test_engine",),
    ),
    Fault(
        "borrow left out of the profit",
        "backtesting/trade_book.py",
        "pnl = gained - fees - fills.borrow",
        "pnl = gained - fees",
        ("test_contract_shorts",),
    ),
    Fault(
        "lots rounded up",
        f"{KERNEL}/account.py",
        "count = floor(quantity / rules.lot_size * (1 + CLOSE))",
        "count = floor(quantity / rules.lot_size + 1)",
        ("test_contract_sizing",),
    ),
    Fault(
        "no margin",
        f"{KERNEL}/loop.py",
        "MAINTENANCE = 0.25",
        "MAINTENANCE = 0.0",
        ("test_contract_shorts",),
    ),
)


def main() -> int:
    """Try the faults; return how many were not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="faults to try, all by default")
    names = parser.parse_args().names
    survivors = [fault.name for fault in FAULTS if (not names or fault.name in names) and not is_caught(fault)]
    print("not caught: " + ", ".join(survivors) if survivors else "every fault is caught")
    return len(survivors)


def is_caught(fault: Fault) -> bool:
    """Tell whether the tests pass on the right source and fail on the wrong one."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, copy / name, **ignoring(name))
        source = copy / fault.file
        text = source.read_text(encoding="utf-8")
        if text.count(fault.right) != 1:
            raise SystemExit(f"{fault.name}: {fault.file} holds the line {text.count(fault.right)} times, not once")
        source.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
        caught = not passes(copy, fault.tests)
    print(f"{'caught' if caught else 'NOT CAUGHT'}: {fault.name}", flush=True)
    return caught


def ignoring(name: str) -> dict[str, object]:
    """Leave byte code behind: it is newer than the faulty source."""
    return {"ignore": shutil.ignore_patterns("__pycache__")} if (ROOT / name).is_dir() else {}


def passes(copy: Path, tests: tuple[str, ...]) -> bool:
    """Run these test files of the copy; anything but passed and failed tests ends the check."""
    files = [f"tests/{name}.py" for name in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(command, cwd=copy, env=clean, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"the tests could not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
