"""Our own kernels are compiled before a call needs them, and a note says that they are."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from backtesting.kernels import END, are_compiled, compile_all, note_in
from config.compiling import LEAST_PRIORITY, compile_aside
from tests.fixtures.patience import until
from tests.test_process import is_gone


def test_without_a_note_nothing_is_compiled(tmp_path: Path) -> None:
    assert not are_compiled(note_in(tmp_path))


def test_a_note_holds_as_long_as_the_files_it_names(tmp_path: Path) -> None:
    note, code = tmp_path / "note", tmp_path / "code.nbi"
    code.touch()
    note.write_text(f"{code}\n{END}")

    before = are_compiled(note)
    code.unlink()

    assert (before, are_compiled(note)) == (True, False)


def test_where_machine_code_cannot_be_kept_it_is_not_compiled_ahead_again_and_again(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text(END)  # as numba leaves no files there

    assert are_compiled(note)


def test_a_note_that_was_not_written_to_its_end_is_none(tmp_path: Path) -> None:
    note, code = tmp_path / "note", tmp_path / "code.nbi"
    code.touch()

    for torn in ("", str(code), f"{code}\n{END[:-1]}"):
        note.write_text(torn)
        assert not are_compiled(note)


def test_a_process_that_gives_way_to_all_others_compiles_once(tmp_path: Path) -> None:
    first = compile_aside(tmp_path)
    assert first is not None
    priority = os.getpriority(os.PRIO_PROCESS, first.pid) if sys.platform != "win32" else LEAST_PRIORITY

    code = first.wait()

    assert (code, priority) == (0, LEAST_PRIORITY)
    assert list(tmp_path.iterdir()) == [note_in(tmp_path)]
    named = [Path(each).name for each in note_in(tmp_path).read_text().splitlines()]
    assert any("run_of_these_sources" in each for each in named)
    assert any("sets_of_these_sources" in each for each in named)
    assert compile_aside(tmp_path) is None


def test_the_process_aside_ends_with_the_one_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from config.compiling import compile_aside\n"
        "print(compile_aside(Path(sys.argv[1])).pid, flush=True); time.sleep(600)"
    )
    command, nothing_compiled = [sys.executable, "-c", script, str(tmp_path)], {"NUMBA_CACHE_DIR": str(tmp_path)}
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | nothing_compiled)
    with leader:
        assert leader.stdout is not None
        process = psutil.Process(int(leader.stdout.readline()))
        leader.kill()

    until(lambda: is_gone(process), seconds=5)
    assert not are_compiled(note_in(tmp_path))


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    note = note_in(tmp_path / "file" / "below")

    compile_all(note)

    assert not are_compiled(note)


def test_asking_whether_they_are_compiled_does_not_import_numba(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; import config.compiling; from backtesting import kernels\n"
        "kernels.are_compiled(kernels.note_in(Path(sys.argv[1])))\n"
        "print('numba' in sys.modules)"
    )

    asked = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)

    assert asked.stdout == "False\n"
