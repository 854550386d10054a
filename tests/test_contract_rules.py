"""Each numbered rule of the simulation contract has tests that bear its number in their names."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
RULES_A_SECTION = {"t": 9, "o": 6, "s": 9, "c": 5, "q": 4, "h": 6, "w": 6, "a": 6, "n": 5, "p": 4, "m": 5}
OF_PORTFOLIOS = {"a3", "m1", "m2", "m3", "m4", "m5"}  # several assets in one account, which nothing trades yet
RULES = {f"{section}{number}" for section, last in RULES_A_SECTION.items() for number in range(1, last + 1)}
NUMBERED = re.compile(r"test_((?:[a-z]\d+_)+)")


def named_rules() -> set[str]:
    """Return the rules that the names of the tests begin with."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.glob("test_*.py"))
    functions = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    matches = (NUMBERED.match(function.name) for function in functions)
    return {rule for match in matches if match for rule in match[1].rstrip("_").split("_")}


def test_every_rule_of_the_contract_has_a_test_named_after_it() -> None:
    assert sorted(RULES - OF_PORTFOLIOS - named_rules()) == []


def test_no_test_is_named_after_a_rule_that_does_not_exist() -> None:
    assert sorted(named_rules() - RULES) == []
