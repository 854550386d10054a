"""Values that travel to other processes as files mapped into memory."""

import gc
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import time

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fixtures import tasks
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import p_bars
from utils.spool import Spool, Spooled


@dataclass(frozen=True)
class Prices:
    name: str
    close: NDArray[np.float64]
    days: NDArray[np.int64]
    open: NDArray[np.bool_]


PRICES = Prices("TEST", np.arange(100_000.0), np.arange(7), np.array([True, False, True]))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.close()


def sent(handle: Spooled[Prices]) -> Spooled[Prices]:
    return pickle.loads(pickle.dumps(handle))  # type: ignore[no-any-return]  # noqa: S301 - our own


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def test_a_value_is_read_as_it_was_written_its_arrays_read_only(spool: Spool) -> None:
    handle = spool.put(PRICES)

    read = sent(handle).get()

    assert read is not PRICES and read.name == "TEST"
    for name in ("close", "days", "open"):
        there, here = getattr(read, name), getattr(PRICES, name)
        assert there.dtype == here.dtype and np.array_equal(there, here)
        assert not there.flags.writeable and not there.flags.owndata


def test_a_handle_is_small_however_large_its_value(spool: Spool) -> None:
    assert len(pickle.dumps(spool.put(PRICES))) < 500 < PRICES.close.nbytes


def test_asked_again_a_process_returns_the_same_object_so_that_what_was_made_of_it_is_found(spool: Spool) -> None:
    handle = spool.put(PRICES)

    assert sent(handle).get() is sent(handle).get()


def test_a_value_whose_handle_is_held_is_written_once(spool: Spool, tmp_path: Path) -> None:
    handles = [spool.put(PRICES) for _ in range(3)]

    assert handles[0] is handles[1] is handles[2]
    assert len(files(tmp_path)) == 1


def test_a_file_goes_with_its_handle_and_the_folder_with_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    one, other = spool.put(PRICES), spool.put(p_bars())
    read = sent(other).get()

    del one
    gc.collect()
    assert len(files(tmp_path)) == 1
    spool.close()

    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(read.close, p_bars().close), "what is mapped stays readable"


def test_another_process_maps_the_file(spool: Spool) -> None:
    handle = spool.put(PRICES)

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        total, process = pool.submit(tasks.total_of, handle).result(60)

    assert (total, process != os.getpid()) == (PRICES.close.sum(), True)


def test_the_bars_of_a_run_keep_their_types_and_values(spool: Spool) -> None:
    engine = (desk := Desk(p_bars())).engine
    _, loaded = engine.load(engine.plan(desk.request("sma_crossover")))
    handle = spool.put(loaded)

    read = pickle.loads(pickle.dumps(handle)).get()  # noqa: S301 - our own

    assert (read.history, read.adjustment, read.gaps) == (loaded.history, loaded.adjustment, loaded.gaps)
    assert all(np.array_equal(there, here) for there, here in zip(read.bars.ohlcv, loaded.bars.ohlcv, strict=True))
    assert np.array_equal(read.session, loaded.session) and len(read.period) == len(loaded.period)


def test_nobody_else_may_read_the_folder(spool: Spool, tmp_path: Path) -> None:
    handle = spool.put(PRICES)

    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    del handle


def test_what_a_killed_process_left_is_removed_after_two_days_and_nothing_else(spool: Spool, tmp_path: Path) -> None:
    old, young = (tmp_path / f"backtesting-mcp-tasks-{digit * 32}" for digit in "ab")
    others = [tmp_path / name for name in ("other", "tasks-x", f"tasks-{'a' * 32}", "backtesting-mcp-tasks-mine")]
    for folder in (old, young, *others):
        folder.mkdir()
        (folder / "file").touch()
    for folder in (old, *others):
        os.utime(folder, (time() - 3 * 86_400,) * 2)

    handle = spool.put(PRICES)

    assert (old.exists(), young.exists()) == (False, True)
    assert all((each / "file").exists() for each in others)
    del handle


def test_a_handle_of_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Spooled(str(tmp_path / "gone")).get()
