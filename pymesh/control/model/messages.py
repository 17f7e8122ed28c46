"""Messages of networking.istio.io that several kinds share: destinations, string matches, percentages, selectors.

https://istio.io/latest/docs/reference/config/networking/
"""

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A proto message of Istio's API. Field names are the proto's; alternatives of a oneof are None where not chosen.

    Durations stay text as the user wrote them (`protojson.parse_go_duration` reads them).
    """


class PortSelector(Message):
    number: int = 0
    """The port."""


class Destination(Message):
    """Without a port: the service's only one, or else the listener's."""

    host: str = ""
    """The service's name. A short name is completed with the namespace of the object that says it."""
    subset: str = ""
    """A subset of a DestinationRule for the host."""
    port: PortSelector | None = None
    """The service's port; where it has only one, that one."""


class StringMatch(Message):
    """oneof match_type. None of them set: presence, where a header is matched. `regex` is RE2 and matches whole."""

    exact: str | None = None
    """The whole text."""
    prefix: str | None = None
    """How it begins."""
    regex: str | None = None
    """An RE2 expression for the whole text."""


class Percent(Message):
    """0..100."""

    value: float = 0.0
    """From 0 to 100."""


class WorkloadSelector(Message):
    """Istio's type.v1beta1.WorkloadSelector."""

    match_labels: dict[str, str] = {}
    """Labels that a workload must have, all of them."""


class LabelSelector(Message):
    """Istio's networking WorkloadSelector (ServiceEntry, DestinationRule of old): bare labels."""

    labels: dict[str, str] = {}
    """Labels that a workload must have, all of them."""
