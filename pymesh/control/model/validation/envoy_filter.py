"""Rules of an EnvoyFilter, which is stored and not obeyed."""

from pymesh.control.model.envoy_filter import EnvoyFilter
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope


def check_envoy_filter(spec: EnvoyFilter, metadata: Metadata, at: Scope) -> None:
    at.warn("has no effect: pymesh's proxies are not Envoy and do not obey an EnvoyFilter")
