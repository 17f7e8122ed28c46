"""envoy.extensions.filters.http.cors.v3.CorsPolicy, per route."""

from typing import Any

from pymesh.control.model.virtual_service import CorsPolicy
from pymesh.control.translate.route_match import string_matcher
from pymesh.control.translate.type_urls import CORS_POLICY
from pymesh.protojson import fractional_percent, parse_go_duration


def build_cors(policy: CorsPolicy | None) -> dict[str, Any] | None:
    """Istio: TranslateCORSPolicy in pilot/pkg/networking/core/route/route.go. `allowOrigin` is the old form."""
    if policy is None:
        return None
    origins = [string_matcher(origin) for origin in policy.allow_origins]
    built: dict[str, Any] = {
        "@type": CORS_POLICY,
        "allow_origin_string_match": origins or [{"exact": origin} for origin in policy.allow_origin],
        "filter_enabled": {"default_value": fractional_percent(100)},
        "forward_not_matching_preflights": policy.unmatched_preflights != "IGNORE",
    }
    texts = {
        "allow_methods": ",".join(policy.allow_methods),
        "allow_headers": ",".join(policy.allow_headers),
        "expose_headers": ",".join(policy.expose_headers),
        "max_age": str(int(parse_go_duration(policy.max_age))) if policy.max_age else "",
    }
    built |= {name: text for name, text in texts.items() if text}
    if policy.allow_credentials is not None:
        built["allow_credentials"] = policy.allow_credentials
    return built
