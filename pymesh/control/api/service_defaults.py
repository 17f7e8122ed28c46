"""What Kubernetes writes into a Service where its author leaves it out. Pure.

Kubernetes: SetDefaults_Service in pkg/apis/core/v1/defaults.go. Addresses are not among it: nobody assigns any here.
"""

from typing import Any

_Json = dict[str, Any]

_DEFAULTS = {"internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "type": "ClusterIP"}


def with_defaults(fields: _Json) -> _Json:
    """The Service with them. What is no Service is left for others to complain of."""
    spec = fields.get("spec")
    if not isinstance(spec, dict):
        return fields
    missing: _Json = {name: value for name, value in _DEFAULTS.items() if spec.get(name) in (None, "")}
    ports = spec.get("ports")
    if isinstance(ports, list):
        missing["ports"] = [_port_with_defaults(port) for port in ports]
    return {**fields, "spec": {**spec, **missing}}


def _port_with_defaults(port: Any) -> Any:
    number = port.get("port") if isinstance(port, dict) else None
    if not isinstance(number, int) or not 0 < number < 65536:
        return port
    told = {name: value for name, value in port.items() if value not in (None, "")}
    target = told.get("targetPort") or number  # 0 is as good as none
    return {**port, "protocol": told.get("protocol", "TCP"), "targetPort": target}
