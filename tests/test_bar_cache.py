"""Series kept in mapped files: found again whole, or not at all."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backtesting.types import Bars
from database.bar_cache import BarCache
from tests.fixtures.series import sample_bars


@pytest.fixture
def cache(tmp_path: Path) -> BarCache:
    return BarCache(tmp_path / "cache", "here")


def same(ours: Bars | None, theirs: Bars) -> bool:
    assert ours is not None
    columns = zip((ours.time, *ours.ohlcv), (theirs.time, *theirs.ohlcv), strict=True)
    return all(np.array_equal(one, other) for one, other in columns)


@pytest.mark.parametrize("adjusted", [True, False])
def test_what_was_put_is_found_by_another_process_bit_for_bit(tmp_path: Path, *, adjusted: bool) -> None:
    bars = sample_bars("ibm") if adjusted else sample_bars("ibm").adjusted()
    BarCache(tmp_path, "here").put("7-1440", "v1", bars)

    found = BarCache(tmp_path, "here").get("7-1440", "v1")

    assert same(found, bars)
    assert found is not None and (found.adj_close is None) is (bars.adj_close is None)


def test_a_series_that_was_never_put_is_not_found(cache: BarCache) -> None:
    assert cache.get("7-1440", "v1") is None


def test_another_version_is_not_found_and_the_new_one_takes_its_place(cache: BarCache, tmp_path: Path) -> None:
    bars = sample_bars("ibm")
    cache.put("7-1440", "v1", bars)

    cache.put("7-1440", "v2", bars[:10])

    assert same(cache.get("7-1440", "v2"), bars[:10])
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.name.endswith("-7-1440.v2.npy")


def test_a_mapped_series_stays_readable_when_its_file_is_replaced(cache: BarCache) -> None:
    bars = sample_bars("ibm")
    cache.put("7-1440", "v1", bars)
    mapped = cache.get("7-1440", "v1")

    cache.put("7-1440", "v2", bars[:10])

    assert same(mapped, bars)


def damaged(how: str, whole: bytes) -> bytes:
    middle = len(whole) // 2
    return {
        "cut": whole[:middle],
        "cut by the checksum": whole[:-8],
        "longer": whole + bytes(8),
        "a block of zeros": whole[:middle] + bytes(4096) + whole[middle + 4096 :],
        "empty": b"",
        "foreign": b"PK\x03\x04" + whole,
    }[how]


@pytest.mark.parametrize("how", ["cut", "cut by the checksum", "longer", "a block of zeros", "empty", "foreign"])
def test_a_torn_file_is_as_good_as_none_and_is_made_anew(tmp_path: Path, how: str) -> None:
    bars = sample_bars("ibm")
    BarCache(tmp_path, "here").put("7-1440", "v1", bars)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damaged(how, path.read_bytes()))
    cache = BarCache(tmp_path, "here")

    assert cache.get("7-1440", "v1") is None

    cache.put("7-1440", "v1", bars)
    assert same(cache.get("7-1440", "v1"), bars)


def test_a_folder_that_cannot_be_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cache = BarCache(tmp_path / "file" / "cache", "here")

    cache.put("7-1440", "v1", sample_bars("ibm"))

    assert cache.get("7-1440", "v1") is None


def test_databases_that_share_a_folder_do_not_meet(tmp_path: Path) -> None:
    here, there = BarCache(tmp_path, "here"), BarCache(tmp_path, "there")
    here.put("7-1440", "v1", sample_bars("ibm"))

    there.put("7-1440", "v2", sample_bars("aapl"))

    assert there.get("7-1440", "v1") is None
    assert same(here.get("7-1440", "v1"), sample_bars("ibm"))


def test_series_opened_longest_ago_give_way_when_the_folder_is_full(tmp_path: Path) -> None:
    bars = sample_bars("ibm")[:1000]
    size = 7 * 8 * 1000 + 200
    cache = BarCache(tmp_path, "here", most_bytes=3 * size)
    for number, series in enumerate(("1-1440", "2-1440", "3-1440")):
        cache.put(series, "v1", bars)
        (path,) = tmp_path.glob(f"*-{series}.v1.npy")
        os.utime(path, ns=(number, number))
    assert same(cache.get("1-1440", "v1"), bars)
    (tmp_path / "left by a crash.tmp").write_bytes(bytes(size))
    os.utime(tmp_path / "left by a crash.tmp", ns=(0, 0))

    cache.put("4-1440", "v1", bars)

    assert sorted(each.name[17:23] for each in tmp_path.iterdir()) == ["1-1440", "3-1440", "4-1440"]


def test_a_series_larger_than_the_folder_may_be_is_kept_alone(tmp_path: Path) -> None:
    cache = BarCache(tmp_path, "here", most_bytes=10)
    cache.put("1-1440", "v1", sample_bars("ibm"))

    cache.put("2-1440", "v1", sample_bars("aapl"))

    assert len(list(tmp_path.iterdir())) == 1
    assert same(cache.get("2-1440", "v1"), sample_bars("aapl"))


def test_many_threads_put_and_find_one_series(tmp_path: Path) -> None:
    bars = sample_bars("ibm")
    cache = BarCache(tmp_path, "here")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: cache.put("7-1440", "v1", bars), range(32)))

    assert same(cache.get("7-1440", "v1"), bars)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    child = """
import resource, signal, sys
from pathlib import Path
from database.bar_cache import BarCache
from tests.fixtures.series import sample_bars
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
cache = BarCache(Path(sys.argv[1]), "here")
cache.put("7-1440", "v1", sample_bars("ibm"))
assert cache.get("7-1440", "v1") is None
"""

    subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=True, timeout=60)

    assert list(tmp_path.iterdir()) == []


def test_cached_bars_cannot_be_changed(cache: BarCache) -> None:
    cache.put("7-1440", "v1", sample_bars("ibm"))
    found = cache.get("7-1440", "v1")

    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found.close[0] = 1.0
