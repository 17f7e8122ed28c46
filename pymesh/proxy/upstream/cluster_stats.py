"""What a cluster counts; Envoy's names.

https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class ClusterStats:
    """`upstream_cx_total` counts attempts, as Envoy does. What is active, the circuit breakers know."""

    upstream_cx_total: int = 0
    upstream_rq_retry: int = 0

    def add(self, other: "ClusterStats") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def as_dict(self) -> dict[str, int]:
        return asdict(self)
