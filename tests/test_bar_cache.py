"""Series kept in mapped files: found again whole, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from backtesting.types import Bars
from database.bar_cache import BarCache
from tests.fixtures.series import sample_bars


@pytest.fixture
def cache(tmp_path: Path) -> BarCache:
    return BarCache(tmp_path / "cache")


def same(ours: Bars | None, theirs: Bars) -> bool:
    assert ours is not None
    columns = zip((ours.time, *ours.ohlcv), (theirs.time, *theirs.ohlcv), strict=True)
    return all(np.array_equal(one, other) for one, other in columns)


@pytest.mark.parametrize("adjusted", [True, False])
def test_what_was_put_is_found_by_another_process_bit_for_bit(tmp_path: Path, *, adjusted: bool) -> None:
    bars = sample_bars("ibm") if adjusted else sample_bars("ibm").adjusted()
    BarCache(tmp_path).put("7-1440", "v1", bars)

    found = BarCache(tmp_path).get("7-1440", "v1")

    assert same(found, bars)
    assert found is not None and (found.adj_close is None) is (bars.adj_close is None)


def test_a_series_that_was_never_put_is_not_found(cache: BarCache) -> None:
    assert cache.get("7-1440", "v1") is None


def test_another_version_is_not_found_and_the_new_one_takes_its_place(cache: BarCache, tmp_path: Path) -> None:
    bars = sample_bars("ibm")
    cache.put("7-1440", "v1", bars)

    cache.put("7-1440", "v2", bars[:10])

    assert same(cache.get("7-1440", "v2"), bars[:10])
    assert [each.name for each in (tmp_path / "cache").iterdir()] == ["7-1440.v2.npy"]


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
    BarCache(tmp_path).put("7-1440", "v1", bars)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damaged(how, path.read_bytes()))
    cache = BarCache(tmp_path)

    assert cache.get("7-1440", "v1") is None

    cache.put("7-1440", "v1", bars)
    assert same(cache.get("7-1440", "v1"), bars)


def test_a_folder_that_cannot_be_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cache = BarCache(tmp_path / "file" / "cache")

    cache.put("7-1440", "v1", sample_bars("ibm"))

    assert cache.get("7-1440", "v1") is None


def test_cached_bars_cannot_be_changed(cache: BarCache) -> None:
    cache.put("7-1440", "v1", sample_bars("ibm"))
    found = cache.get("7-1440", "v1")

    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found.close[0] = 1.0
