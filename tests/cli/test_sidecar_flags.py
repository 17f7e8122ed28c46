"""What the flags of a sidecar say together."""

import argparse
from pathlib import Path

import pytest

from pymesh.cli.proxy import add_arguments, sidecar_options
from pymesh.proxy.options import SidecarOptions


def options(state_dir: Path, *flags: str) -> SidecarOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    required = ("--service", "payment", "--app-port", "8001", "--state-dir", str(state_dir))
    return sidecar_options(parser.parse_args([*required, *flags]))


@pytest.mark.parametrize(
    ("flags", "version", "workload_name"),
    [
        ((), "v1", "payment-v1"),
        (("--version", "v2"), "v2", "payment-v2"),
        (("--workload-group", "payments"), "", "payments"),
        (("--workload-group", "payments", "--version", "v2"), "v2", "payments"),
    ],
)
def test_a_group_may_tell_the_version_and_names_the_workload(
    tmp_path: Path, flags: tuple[str, ...], version: str, workload_name: str
) -> None:
    told = options(tmp_path, *flags)
    assert (told.version, told.workload_name) == (version, workload_name)
