"""What a WorkloadGroup says of the proxies that registered under it, and they themselves do not know."""

from collections.abc import Iterable

import msgspec

from pymesh.control.model.resource import Resource
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.names import GROUP_ANNOTATION
from pymesh.xds import Node, NodeLocality, parse_node_locality


class GroupedWorkloads:
    """The WorkloadEntries that were made after a group, by namespace and name, which is the proxy's."""

    def __init__(self, entries: Iterable[Resource[WorkloadEntry]]) -> None:
        found = (entry for entry in entries if GROUP_ANNOTATION in entry.metadata.annotations)
        self._entries = {(entry.namespace, entry.name): entry.spec for entry in found}

    def complete(self, node: Node) -> Node:
        """The node with the labels, and where it has none, the locality of its WorkloadEntry.

        Istio: SetWorkloadLabels in pilot/pkg/model/context.go.
        """
        told = node.metadata
        entry = self._entries.get((told.namespace, told.name))
        if entry is None:
            return node
        metadata = msgspec.structs.replace(told, labels={**entry.labels, **told.labels})
        locality = parse_node_locality(entry.locality) if node.locality == NodeLocality() else node.locality
        return msgspec.structs.replace(node, metadata=metadata, locality=locality)
