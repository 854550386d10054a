"""Which files the tools may read; what a client sees of it is in test_data_tools.py."""

from pathlib import Path

import pytest

from config.settings import Settings
from config.storage import make_data_folders
from mcp_server.data_folders import DataFolders, FileRefusedError


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")
    return path


def test_a_relative_path_is_looked_up_below_each_folder_in_order(tmp_path: Path) -> None:
    folders = DataFolders((tmp_path / "none", tmp_path / "one", tmp_path / "two"), closed=tmp_path / "home")
    first = written(tmp_path / "one" / "a.csv")
    written(tmp_path / "two" / "a.csv")
    second = written(tmp_path / "two" / "sub" / "b.csv")

    assert folders.find("a.csv") == first
    assert folders.find("sub/b.csv") == second
    assert folders.find(str(second)) == second


def test_a_folder_that_is_a_link_is_open_where_it_leads(tmp_path: Path) -> None:
    file = written(tmp_path / "real" / "a.csv")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert DataFolders((tmp_path / "link",), closed=tmp_path / "home").find("a.csv") == file


@pytest.mark.parametrize("folder", [".", "home"])
def test_the_data_directory_stays_closed_whatever_folder_is_named(folder: str, tmp_path: Path) -> None:
    folders = DataFolders((tmp_path / folder,), closed=tmp_path / "home")
    secret = written(tmp_path / "home" / "bt_app.secret")
    written(tmp_path / "home" / "pg18" / "data" / "PG_VERSION")

    for path in (str(secret), "home/bt_app.secret", "pg18/data/PG_VERSION", "home", str(tmp_path / "home" / "pg18")):
        with pytest.raises(FileRefusedError, match="may be read"):
            folders.find(path)


def test_by_default_one_folder_of_the_data_directory_is_open_and_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    secret = written(home / "bt_app.secret")

    folders = make_data_folders(Settings(data_dir=home))  # type: ignore[call-arg]

    assert folders.find(str(written(home / "import" / "a.csv"))) == home / "import" / "a.csv"
    assert (home / "import").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileRefusedError):
        folders.find(str(secret))


def test_where_there_is_no_data_directory_none_is_made(tmp_path: Path) -> None:
    make_data_folders(Settings(data_dir=tmp_path / "home"))  # type: ignore[call-arg]

    assert not (tmp_path / "home").exists()


def test_a_link_put_in_the_place_of_a_file_is_noticed_when_it_is_looked_at(tmp_path: Path) -> None:
    folders = DataFolders((tmp_path / "open",), closed=tmp_path / "home")
    file, outside = written(tmp_path / "open" / "a.csv"), written(tmp_path / "outside.csv")
    assert folders.holds(file)

    file.unlink()
    file.symlink_to(outside)

    assert not folders.holds(file)
