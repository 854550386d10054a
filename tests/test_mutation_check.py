"""The faults of the mutation check are still faults: it is run by hand, and the source moves on."""

import pytest

from tests.mutation_check import FAULTS, ROOT, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_line_that_a_fault_replaces_stands_in_the_source_once(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.right) == 1
    assert fault.wrong != fault.right
