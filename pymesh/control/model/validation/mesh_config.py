"""Rules of MeshConfig."""

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.retry import check_retries


def check_mesh_config(mesh: MeshConfig, at: Scope) -> None:
    syntax.check_duration(mesh.connect_timeout, at["connectTimeout"])
    if mesh.default_http_retry_policy is not None:
        check_retries(mesh.default_http_retry_policy, at["defaultHttpRetryPolicy"])
    syntax.check_range(mesh.default_config.tracing.sampling, 0, 100, at["defaultConfig"]["tracing"]["sampling"])
    syntax.check_dns_label(mesh.root_namespace, at["rootNamespace"])
    syntax.check_exact_host(mesh.trust_domain, at["trustDomain"])
    _check_default_exports(mesh, at)


def _check_default_exports(mesh: MeshConfig, at: Scope) -> None:
    defaults = {
        "defaultServiceExportTo": mesh.default_service_export_to,
        "defaultVirtualServiceExportTo": mesh.default_virtual_service_export_to,
        "defaultDestinationRuleExportTo": mesh.default_destination_rule_export_to,
    }
    for name, export_to in defaults.items():
        # `.` is the namespace of each object, so it cannot be the same as one that is named.
        syntax.check_export_to(export_to, ".", at[name], allow_none=True)
