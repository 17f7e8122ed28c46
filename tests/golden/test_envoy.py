"""A real Envoy accepts every resource, put into a static bootstrap."""

import copy
import datetime
import json
import subprocess
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET


@pytest.fixture(scope="session")
def certificate_files(tmp_path_factory) -> dict[str, str]:
    """Stands for every certificate, key and CA that a case names."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    leaf = authority.issue_cert("shop.example.com")
    leaf.private_key_pem.write_to_path(directory / "key")
    authority.cert_pem.write_to_path(directory / "ca")
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(directory / "certificate", append=True)
    (directory / "crl").write_bytes(_revocation_list(authority))
    return {name: str(directory / name) for name in ("certificate", "key", "ca", "crl")}


def _revocation_list(authority: trustme.CA) -> bytes:
    """Without any certificate."""
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now)
    return builder.next_update(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_envoy_accepts_every_resource(case, envoy, certificate_files, tmp_path):
    bootstrap = tmp_path / "bootstrap.json"
    bootstrap.write_text(json.dumps(_Bootstrap(case.build(), certificate_files).build()))
    command = [envoy, "--mode", "validate", "--log-level", "error", "--config-path", str(bootstrap)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr


class _Bootstrap:
    """All that comes by RDS, EDS and SDS is put where it is used, so that validation sees it."""

    def __init__(self, resources: dict[str, dict[str, Any]], files: dict[str, str]) -> None:
        self._resources = copy.deepcopy(resources)
        self._files = files
        self._secrets: set[str] = set()

    def build(self) -> dict[str, Any]:
        static = {
            "clusters": [self._cluster(cluster) for cluster in self._resources[CLUSTER].values()],
            "listeners": [self._inlined(listener) for listener in self._resources[LISTENER].values()],
        }
        static["secrets"] = [self._secret(name) for name in sorted(self._secrets)]
        return {"node": {"id": "golden", "cluster": "golden"}, "static_resources": _without_types(static)}

    def _cluster(self, cluster: dict[str, Any]) -> dict[str, Any]:
        if cluster.get("type") == "EDS":
            del cluster["eds_cluster_config"]
            assignment = self._resources[ENDPOINT][cluster["name"]]
            cluster |= {"type": "STATIC", "load_assignment": assignment}
        return self._inlined(cluster)

    def _inlined(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._inlined(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "filters" in value:
            # Of Istio's filter, which plain Envoy lacks, only the one of HTTP may say that it is optional.
            value["filters"] = [one for one in value["filters"] if one["name"] != "istio.stats"]
        if "sds_config" in value:
            self._secrets.add(value["name"])
            return {"name": value["name"]}
        if "rds" in value:
            routes = self._resources[ROUTE][value.pop("rds")["route_config_name"]]
            value["route_config"] = {**routes, "validate_clusters": False}
        return {key: self._inlined(self._file(key, item)) for key, item in value.items()}

    def _file(self, key: str, source: Any) -> Any:
        """The files that cases name are on nobody's machine."""
        names = {"certificate_chain": "certificate", "private_key": "key", "trusted_ca": "ca", "crl": "crl"}
        is_file = isinstance(source, dict) and ("filename" in source or "inline_string" in source)
        return {"filename": self._files[names[key]]} if key in names and is_file else source

    def _secret(self, name: str) -> dict[str, Any]:
        found = self._resources[SECRET].get(name)
        if found is not None:
            return self._inlined(found)
        if name == "ROOTCA" or name.endswith("-cacert"):
            return {"name": name, "validation_context": {"trusted_ca": {"filename": self._files["ca"]}}}
        chain, key = {"filename": self._files["certificate"]}, {"filename": self._files["key"]}
        return {"name": name, "tls_certificate": {"certificate_chain": chain, "private_key": key}}


def _without_types(static: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """In a bootstrap, resources and what stands inline in them are no Any."""
    for resources in static.values():
        for resource in resources:
            resource.pop("@type", None)
            for inner in (resource.get("load_assignment"), *_route_configs(resource)):
                if inner is not None:
                    inner.pop("@type", None)
    return static


def _route_configs(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in _route_configs(item)]
    if not isinstance(value, dict):
        return []
    own = [value["route_config"]] if "route_config" in value else []
    return own + [found for item in value.values() for found in _route_configs(item)]
