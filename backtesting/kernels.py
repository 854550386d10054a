"""Our own kernels compiled before a call needs them: `python -m backtesting.kernels`, which takes 10 to 30 seconds.

numba keeps machine code on disk, but asking it costs half a second and 100 MB. So whoever has compiled leaves a note of
the files in the user's cache, named after all that the code was made of.
"""

import os
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from backtesting.late import Late

if TYPE_CHECKING:
    from backtesting import stop_kernel, sweep
else:
    stop_kernel = Late("backtesting.stop_kernel")  # numba: 0.4 s and 100 MB
    sweep = Late("backtesting.sweep")

PACKAGES = ("stop_kernel", "sweep_kernel")
END = "that is all"  # where machine code cannot be kept, a note names no files, but is not empty


def note_in(folder: Path | None = None) -> Path:
    """Return where the note of kernels of these sources lies, by default in the user's cache."""
    here = Path(__file__).parent
    made_of = sha256(f"{here} {sys.version} {version('numba')}".encode())
    for source in (path for package in PACKAGES for path in sorted((here / package).glob("*.py"))):
        made_of.update(source.read_bytes())
    return (folder or user_cache_path("backtesting-mcp")) / f"kernels-{made_of.hexdigest()[:16]}"


def are_compiled(note: Path) -> bool:
    """Tell whether the note is whole and the machine code that it names is still there."""
    try:
        lines = note.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return lines[-1:] == [END] and all(Path(each).exists() for each in lines[:-1])


def compile_all(note: Path) -> None:
    """Compile what is not on disk yet, and leave a note of it; a folder that cannot be written is left alone."""
    files = (*stop_kernel.warm(), *sweep.warm())
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = note.with_name(f"{note.name}.{os.getpid()}")
        draft.write_text("\n".join((*map(str, files), END)), encoding="utf-8")
        draft.replace(note)
    except OSError:
        return


if __name__ == "__main__":
    compile_all(note_in(*map(Path, sys.argv[1:])))
