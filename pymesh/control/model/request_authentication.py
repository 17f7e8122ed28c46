"""RequestAuthentication: which JWTs a workload takes, and what becomes of them.

https://istio.io/latest/docs/reference/config/security/request_authentication/
"""

from pymesh.control.model.messages import Message, WorkloadSelector
from pymesh.control.model.targets import PolicyTargetReference


class JWTHeader(Message):
    name: str = ""
    """Name of the header."""
    prefix: str = ""
    """What stands before the token, as `Bearer `."""


class ClaimToHeader(Message):
    header: str = ""
    """Name of the header that is set."""
    claim: str = ""
    """The claim: a string, number or boolean; `a.b` is claim b inside of claim a."""


class JWTRule(Message):
    """oneof of jwks and jwks_uri; without both the issuer's OpenID discovery says where the keys are.

    A token is looked for in the Authorization header and in the query parameter access_token, unless a place is named.
    """

    issuer: str = ""
    """Claim `iss` of the tokens; required without jwksUri."""
    audiences: tuple[str, ...] = ()
    """Claim `aud` must have one of them; any will do where the list is empty."""
    jwks_uri: str = ""
    """URL of the keys."""
    jwks: str = ""
    """The keys themselves: a JSON Web Key Set."""
    from_headers: tuple[JWTHeader, ...] = ()
    """Headers that may have the token."""
    from_params: tuple[str, ...] = ()
    """Query parameters that may have the token."""
    from_cookies: tuple[str, ...] = ()
    """Cookies that may have the token."""
    output_payload_to_header: str = ""
    """Header that gets the verified payload, base64url encoded."""
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    """Headers that get single claims."""
    forward_original_token: bool = False
    """Whether the application gets the token, too."""
    timeout: str = ""
    """Time for a fetch of the keys; default 5s."""
    space_delimited_claims: tuple[str, ...] = ()
    """Claims whose string is a list with spaces between; `scope` and `permission` always are."""


class RequestAuthentication(Message):
    """A request without a token passes; one with a token that no rule verifies gets 401."""

    selector: WorkloadSelector | None = None
    """Labels of the workloads that obey; all of the namespace where it is absent."""
    target_ref: PolicyTargetReference | None = None
    """The older form of targetRefs."""
    target_refs: tuple[PolicyTargetReference, ...] = ()
    """Gateways of the Gateway API, or services, that obey."""
    jwt_rules: tuple[JWTRule, ...] = ()
    """Issuers and keys; one rule that verifies the token is enough."""
