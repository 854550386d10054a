"""The files for containers; no container engine is needed to see that they are whole and closed to the outside."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CLUSTER = ("scheduler", "dask-worker")
OURS = ("server", *CLUSTER)


def test_the_cluster_is_a_scheduler_and_two_workers_which_only_its_profile_starts() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["cluster"]} == set(CLUSTER)
    assert SERVICES["dask-worker"]["deploy"]["replicas"] == 2
    assert SERVICES["dask-worker"]["command"][0] == "tcp://scheduler:8786"
    assert SERVICES["scheduler"]["command"][:2] == ["--port", "8786"]


def test_nothing_is_reached_from_outside() -> None:
    assert not any("ports" in service or "network_mode" in service for service in SERVICES.values())
    assert COMPOSE["networks"]["cluster"] == {"internal": True}


@pytest.mark.parametrize("name", CLUSTER)
def test_the_cluster_knows_neither_the_database_nor_a_password(name: str) -> None:
    assert SERVICES[name]["networks"] == ["cluster"]
    assert not {"environment", "env_file", "volumes", "secrets"} & set(SERVICES[name])


@pytest.mark.parametrize("name", OURS)
def test_what_runs_our_code_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]  # noqa: S108
    assert service["security_opt"] == ["no-new-privileges:true"] and service["mem_limit"] and service["pids_limit"]


def test_the_server_is_told_where_the_executor_is_and_keeps_its_database() -> None:
    assert SERVICES["server"]["environment"]["EXECUTOR_URL"] == "${EXECUTOR_URL:-local}"
    assert SERVICES["server"]["environment"]["DATABASE_URL"] == SERVICES["upgrade"]["environment"]["DATABASE_URL"]
    assert set(SERVICES["server"]["networks"]) == {"default", "cluster"}


def test_every_image_of_ours_is_made_of_a_lock_that_is_there() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    locks = set(re.findall(r"requirements[\w-]*\.lock", dockerfile))

    assert all(SERVICES[name]["build"]["args"] == {"LOCK": "${LOCK:-requirements.lock}"} for name in OURS)
    assert all((PROJECT / lock).exists() for lock in locks) and len(locks) == 2
    assert "distributed==" in (PROJECT / "requirements-dev.lock").read_text(encoding="utf-8")
