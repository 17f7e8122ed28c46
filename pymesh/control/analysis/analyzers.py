"""The table of analyzers, and how they are run."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message
from pymesh.control.analysis.schema import check_schema, check_unreachable_rules
from pymesh.control.analysis.virtual_service_destinations import (
    check_delegates,
    check_destination_hosts,
    check_destination_subsets,
)
from pymesh.control.analysis.virtual_service_gateways import (
    check_gateways_of_virtual_services,
    check_mesh_gateway_hosts,
)


class Analyzer(NamedTuple):
    """`name` is Istio's, where Istio has it."""

    name: str
    description: str
    check: Callable[[AnalyzedMesh], Iterable[Message]]


ANALYZERS = (
    Analyzer("schema.ValidationAnalyzer", "objects are valid", check_schema),
    Analyzer("virtualservice.UnreachableRuleAnalyzer", "every rule and match can be reached", check_unreachable_rules),
    Analyzer(
        "virtualservice.DestinationHostAnalyzer", "destinations are services of the mesh", check_destination_hosts
    ),
    Analyzer("virtualservice.DestinationRuleAnalyzer", "a DestinationRule has the subsets", check_destination_subsets),
    Analyzer("virtualservice.DelegateAnalyzer", "delegates are there", check_delegates),
    Analyzer(
        "virtualservice.GatewayAnalyzer",
        "gateways are there and have a host of the VirtualService",
        check_gateways_of_virtual_services,
    ),
    Analyzer(
        "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
        "a host has one VirtualService in the mesh",
        check_mesh_gateway_hosts,
    ),
)


def analyze(mesh: AnalyzedMesh, analyzers: Iterable[Analyzer] = ANALYZERS) -> list[Message]:
    """All messages, each of them once: the most severe first, then by code, object and text."""
    found: Iterator[Message] = (message for analyzer in analyzers for message in analyzer.check(mesh))
    return sorted(dict.fromkeys(found), key=_order)


def _order(message: Message) -> tuple[int, str, str, str, str]:
    return (-message.type.level, message.type.code, message.origin, message.path, message.text)
