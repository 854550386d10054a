"""All benchmarks, one after the other: `python -m tests.benchmarks`; each module measures its part alone."""

import subprocess
import sys

PARTS = ("bench_engine", "bench_data", "bench_storing", "bench_server", "bench_busy")


def main() -> int:
    """Run each part in a process of its own; 1 where any of them ended so."""
    ends = [
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{part}"], check=False).returncode for part in PARTS
    ]
    return max(ends)


if __name__ == "__main__":
    sys.exit(main())
