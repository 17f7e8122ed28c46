"""trafficDistribution: which endpoints of a service its clients prefer, as the labels that they should share. Pure.

Istio: GetTrafficDistribution in pilot/pkg/model/service.go.
"""

from pymesh.control.model.resource import Metadata
from pymesh.names import HOSTNAME_LABEL, LOCALITY_LABELS, TRAFFIC_DISTRIBUTION_ANNOTATION

_LABELS = {
    "preferclose": LOCALITY_LABELS,
    "prefersamezone": LOCALITY_LABELS,
    "prefersamenode": (*LOCALITY_LABELS, HOSTNAME_LABEL),
}


def preferred_labels(metadata: Metadata, told: str | None) -> tuple[str, ...]:
    """The annotation, in whatever case, goes before what the Service says; an unknown one says nothing."""
    noted = _LABELS.get(metadata.annotations.get(TRAFFIC_DISTRIBUTION_ANNOTATION, "").lower())
    return noted if noted is not None else _LABELS.get((told or "").lower(), ())
