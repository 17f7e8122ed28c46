"""Names that the server chooses: what the client wants them to begin with, and five letters.

https://kubernetes.io/docs/reference/using-api/api-concepts/#generated-values
"""

import secrets
from typing import Any

_Json = dict[str, Any]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': none of them makes a word
_SUFFIX = 5
_LONGEST = 63


def wants_name(fields: Any) -> bool:
    """Whether an object has `generateName` and no name."""
    metadata = fields.get("metadata") if isinstance(fields, dict) else None
    if not isinstance(metadata, dict) or metadata.get("name"):
        return False
    return isinstance(metadata.get("generateName"), str) and bool(metadata["generateName"])


def with_name(fields: _Json) -> _Json:
    metadata = fields["metadata"]
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return {**fields, "metadata": {**metadata, "name": metadata["generateName"][: _LONGEST - _SUFFIX] + suffix}}
