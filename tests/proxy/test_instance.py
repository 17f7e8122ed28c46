import re
from pathlib import Path

import pytest

from pymesh.proxy.instance import claim_instance
from pymesh.state_dir import StateDir


@pytest.fixture
def state_dir(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


def test_a_proxy_that_restarts_finds_its_name_and_ports_again(state_dir: StateDir) -> None:
    first = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
    first.ports["inbound"] = 40123
    first.save()
    first.release()
    second = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
    assert (second.name, second.ports) == (first.name, {"inbound": 40123})


def test_a_proxy_that_starts_knows_whether_the_one_before_it_was_killed(state_dir: StateDir) -> None:
    for left_properly in (True, False):
        before = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
        before.note_registered(True)
        if left_properly:
            before.note_registered(False)
        before.release()
        after = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
        assert after.is_registered is not left_properly
        after.release()


def test_two_living_proxies_of_one_service_have_two_directories_and_names(state_dir: StateDir) -> None:
    first = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
    second = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
    assert second.directory.name == "payment-v1-8080-1"
    assert second.name != first.name


def test_the_name_is_the_workloads_with_a_random_suffix(state_dir: StateDir) -> None:
    instance = claim_instance(state_dir, "default", "payment-v1-8080", "payment-v1")
    assert re.fullmatch(r"payment-v1-[a-z0-9]{5}", instance.name)


def test_a_damaged_file_costs_the_name_and_not_the_start(state_dir: StateDir) -> None:
    instance = claim_instance(state_dir, "default", "key", "payment-v1")
    (instance.directory / "instance.json").write_text("{")
    instance.release()
    assert claim_instance(state_dir, "default", "key", "payment-v1").ports == {}
