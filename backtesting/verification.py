"""Whether a stored run can be repeated: its request is run again, and all that is not as it was is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError
from backtesting.ports import RunRepository
from backtesting.provenance import config_hash, versions
from backtesting.replay import Evaluated, ended, replay
from backtesting.types import (
    BacktestRequest,
    Change,
    EquityCurve,
    Integers,
    MetricChange,
    Run,
    Summary,
    Trade,
    Verification,
    instant,
)

HASH_DIGITS = 12
TOLD_APART = frozenset({"data_hash", "config_hash", "contract_version", "versions", "bars"})
NOTHING = "nothing"


def verify(engine: BacktestEngine, runs: RunRepository, run_id: str) -> Verification:
    """Replay a stored run and compare; RunNotFoundError when this user has none of that id.

    A failed run is compared by its error.
    """
    run = ended(runs, run_id)
    again = replay(engine, run)
    if run.summary is None or isinstance(again, BacktestError):
        return Verification(run_id, tuple(_versions(run)), tuple(_ends(run, again)), ())
    curve = runs.equity(run_id)
    return Verification(
        run_id,
        causes_of_change(run, run.summary, again, curve),
        tuple(_effects(run.summary, again, curve, runs.trades(run_id, 0, run.summary.trades + 1))),
        tuple(_metrics(run.summary, again.result.summary)),
    )


def causes_of_change(run: Run, then: Summary, again: Evaluated, curve: EquityCurve) -> tuple[Change, ...]:
    """Return what numbers are made of that is not what it was: bars, versions, contract, request, and their likes."""
    now = again.result.summary.provenance
    return (
        *_data(then.provenance, now, curve.time, again.result.equity.time),
        *_versions(run),
        *_request(run, then, again.plan.request),
        *(_change(name, then.provenance[name], now.get(name)) for name in _different(then.provenance, now)),
    )


def _data(then: Mapping[str, Any], now: Mapping[str, Any], stored: Integers, read: Integers) -> Iterator[Change]:
    """Compare the bars; their prices were not stored with the run, but their hash and their times were."""
    if then["data_hash"] == now["data_hash"]:
        return
    told = (f"{each['data_hash'][:HASH_DIGITS]} of {each['bars']:,} bars" for each in (then, now))
    yield Change("data", *told)
    gone, new = np.setdiff1d(stored, read), np.setdiff1d(read, stored)
    if len(gone) or len(new):
        yield Change("bars only stored then, or only now", _count(gone), _count(new))


def _versions(run: Run) -> Iterator[Change]:
    """Compare what computed the run with what does now; failed runs do not say."""
    if run.summary is None:
        return
    then, now = run.summary.provenance["versions"], versions()
    if then.get("contract") != now["contract"]:
        yield _change("contract version", then.get("contract"), now["contract"])
    for name in sorted({*then, *now} - {"contract"}):
        if then.get(name) != now.get(name):
            yield _change(f"version of {name}", then.get(name), now.get(name))


def _request(run: Run, then: Summary, now: BacktestRequest) -> Iterator[Change]:
    """Compare the request as it was stored with itself read and completed today."""
    read, completed = run.request.model_dump(mode="json"), now.model_dump(mode="json")
    different = [name for name in completed if read.get(name) != completed[name]]
    yield from (_change(f"request: {name}", read.get(name), completed[name]) for name in different)
    stored, recorded = then.provenance["config_hash"], config_hash(run.request)
    if not different and stored != recorded:
        yield Change("request as it is read", stored[:HASH_DIGITS], recorded[:HASH_DIGITS])


def _different(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name, value in then.items() if name not in TOLD_APART and value != now.get(name)]


def _ends(run: Run, again: Evaluated | BacktestError) -> Iterator[Change]:
    """Compare how the run ended with how it ends now, where at least one of them ends with an error."""
    ended = str(again) if isinstance(again, BacktestError) else "completed"
    stored = run.error or "completed"
    if stored != ended:
        yield Change("outcome", stored, ended)


def _effects(then: Summary, again: Evaluated, curve: EquityCurve, trades: Sequence[Trade]) -> Iterator[Change]:
    """Compare reasons, trades and equity."""
    reasons, summary = again.result.summary.undefined, again.result.summary
    for name, reason in then.undefined.items():
        if summary.metrics.get(name) is None and reasons.get(name) != reason:
            yield _change(f"reason of {name}", reason, reasons.get(name))
    made = list(again.result.trades)
    other = sum(not _is_as_stored(*pair) for pair in zip(trades, made, strict=False))
    if other or len(trades) != len(made):
        yield Change("trades", f"{len(trades)}", f"{len(made)}, {other} of those in both not as stored")
    yield from _of_equity(curve, again.result.equity)


def _of_equity(then: EquityCurve, now: EquityCurve) -> Iterator[Change]:
    """Compare the equity at the bars that both have; where it parts while holding, so do the prices."""
    if len(then.time) != len(now.time):
        yield _change("points of the equity", len(then.time), len(now.time))
    shared, at_then, at_now = np.intersect1d(then.time, now.time, return_indices=True)
    other = np.flatnonzero(then.value[at_then] != now.value[at_now])
    if len(other):
        first = other[0]
        yield Change(
            f"equity at {len(other):,} of {len(shared):,} bars, first {instant(shared[first]):%Y-%m-%d %H:%M}",
            f"{then.value[at_then][first]:,.6f}",
            f"{now.value[at_now][first]:,.6f}",
        )


def _metrics(then: Summary, now: Summary) -> Iterator[MetricChange]:
    """Compare the metrics that were stored; what has been added since is no change."""
    for name, value in then.metrics.items():
        if value != (current := now.metrics.get(name)):
            yield MetricChange(name, value, current)


def _is_as_stored(then: Trade, now: Trade) -> bool:
    """Tell whether nothing that was stored of a trade differs; older versions stored less (None)."""
    return all(stored in (None, made) for stored, made in zip(astuple(then), astuple(now), strict=True))


def _count(times: Integers) -> str:
    return f"{len(times):,}, first {instant(times[0]):%Y-%m-%d %H:%M}" if len(times) else "0"


def _change(what: str, then: object, now: object) -> Change:
    return Change(what, *(NOTHING if each is None else str(each) for each in (then, now)))
