"""Claims of a verified token, which rules of gateways may match as if they were headers."""

_PREFIX = "@request.auth.claims"


def claim_path(header: str) -> tuple[str, ...]:
    """`@request.auth.claims.a.b` or `[a][b]`: b inside of a. Empty: the name is no claim's.

    Istio: ToRoutingClaim in pkg/jwt.
    """
    if header[: len(_PREFIX)].lower() != _PREFIX:
        return ()
    rest = header[len(_PREFIX) :]
    if len(rest) > 1 and rest.startswith("."):
        return tuple(rest[1:].split("."))
    if len(rest) > 2 and rest.startswith("[") and rest.endswith("]"):
        return tuple(rest[1:-1].split("]["))
    return ()
