"""Cells as kubectl and Istio's CRDs have them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pymesh.control.api.columns import columns_of, human_duration
from pymesh.control.model.kinds import KINDS, kind_named

NOW = datetime(2026, 1, 2, tzinfo=UTC)
METADATA = {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-1), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=3, seconds=20), "3m20s"),
        (timedelta(minutes=3), "3m"),
        (timedelta(minutes=12, seconds=5), "12m"),
        (timedelta(hours=5, minutes=10), "5h10m"),
        (timedelta(hours=30), "30h"),
        (timedelta(days=3, hours=4), "3d4h"),
        (timedelta(days=40), "40d"),
    ],
)
def test_ages_are_short(age: timedelta, text: str) -> None:
    assert human_duration(age) == text


@pytest.mark.parametrize(
    ("kind", "fields", "cells"),
    [
        ("vs", {"spec": {"hosts": ["a"], "gateways": ["g"]}}, 'a|["g"]|["a"]|24h|'),
        ("dr", {"spec": {"host": "a"}}, "a|a|24h|"),
        ("se", {"spec": {"hosts": ["a.com"], "resolution": "DNS"}}, 'a|["a.com"]|MESH_EXTERNAL|DNS|24h|'),
        ("we", {"spec": {"address": "10.0.0.1"}}, "a|24h|10.0.0.1"),
        ("pa", {"spec": {"mtls": {"mode": "STRICT"}}}, "a|STRICT|24h|"),
        ("ap", {"spec": {"action": "DENY"}}, "a|DENY|24h|"),
        (
            "dr",
            {"spec": {"host": "a"}, "status": {"conditions": [{"type": "Effective", "reason": "InForce"}]}},
            "a|a|24h|InForce",
        ),
        ("sidecar", {"spec": {}}, "a|24h|"),
        (
            "svc",
            {"spec": {"ports": [{"port": 80}], "externalIPs": ["1.1.1.1"]}},
            "a|ClusterIP|<none>|1.1.1.1|80/TCP|24h",
        ),
        ("ep", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}, "a|10.0.0.1:80|24h"),
        (
            "endpointslice",
            {"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": list("abcd")}]},
            "a|IPv4|80|a,b,c + 1 more...|24h",
        ),
        ("cm", {"data": {"a": "b"}, "binaryData": {"c": "ZA=="}}, "a|2|24h"),
        ("sa", {}, "a|0|24h"),
        ("secret", {"data": {"a": "YQ=="}}, "a|Opaque|1|24h"),
        ("ns", {"spec": {}}, "a|Active|24h"),
    ],
)
def test_the_cells_of_an_object(kind: str, fields: dict[str, Any], cells: str) -> None:
    found = kind_named(kind)
    assert found is not None
    columns = [column for column in columns_of(found) if not column.is_wide]
    assert "|".join(column.read({"metadata": METADATA, **fields}, NOW) for column in columns) == cells


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_object_with_nothing_in_it_has_cells(kind: Any) -> None:
    for column in columns_of(kind):
        assert isinstance(column.read({"metadata": {"name": "a"}, "spec": {}}, NOW), str)
