"""The secrets of this proxy, by SDS name: its own certificate and root, a gateway's credentials. No SSL contexts here.

Names that begin with `file-cert:` and `file-root:` are files of this machine, as Istio's agent serves them
(istio: security/pkg/credentials and pkg/model/proxy.go); everything else is put here by somebody.

https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret
"""

from collections.abc import Callable

from pymesh.proxy.tls.certificates import SecretConfig
from pymesh.proxy.tls.file_secrets import FileSecrets, is_file_secret


class SecretStore:
    """The secrets that are known now. `revision` grows with every change, so that a reader can see it cheaply."""

    def __init__(self) -> None:
        self.revision = 0
        self._secrets: dict[str, SecretConfig] = {}
        self._files = FileSecrets()
        self._subscribers: list[Callable[[str], None]] = []

    def apply(self, secret: SecretConfig) -> None:
        """Add or replace; a secret that is the same as before changes nothing."""
        if self._secrets.get(secret.name) != secret:
            self._secrets[secret.name] = secret
            self._publish(secret.name)

    def remove(self, name: str) -> None:
        if self._secrets.pop(name, None) is not None:
            self._publish(name)

    def get(self, name: str) -> SecretConfig | None:
        """None where it is not known (yet), or its file cannot be read."""
        return self._files.load(name) if is_file_secret(name) else self._secrets.get(name)

    def check_files(self) -> None:
        """Count a change of a file that a secret was read of as a change of the secret."""
        if self._files.has_changed():
            self.revision += 1

    def names(self) -> tuple[str, ...]:
        return tuple(self._secrets)

    def subscribe(self, callback: Callable[[str], None]) -> None:
        """`callback(name)` after every change of any secret."""
        self._subscribers.append(callback)

    def _publish(self, name: str) -> None:
        self.revision += 1
        for callback in self._subscribers:
            callback(name)
