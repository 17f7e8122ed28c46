"""The key of the join tokens, and the join token of this machine.

That token is for any identity; its file is for the owner of the state dir, who could as well read the CA's key.
"""

import asyncio
import logging
import time
from pathlib import Path

from pymesh.control.ca.authority import CertificateAuthority
from pymesh.control.ca.join_token import ANY, TokenAuthority
from pymesh.control.ca.keys import load_or_create_key
from pymesh.errors import UsageError
from pymesh.state_dir import write_private

log = logging.getLogger(__name__)

TTL = 24 * 3600.0
_LOOK_SECONDS = 60.0


def open_token_authority(authority: CertificateAuthority, directory: Path) -> TokenAuthority:
    """With the key in `directory`, which is made where it is missing. Raises UsageError."""
    return TokenAuthority(load_or_create_key(directory / "token-key.pem"), authority.root_sha256)


class JoinTokenFile:
    """`keep_fresh` writes a new token at half the old one's life."""

    def __init__(self, tokens: TokenAuthority, path: Path) -> None:
        self._tokens = tokens
        self._path = path
        self._written_at = 0.0

    def write(self) -> None:
        write_private(self._path, self._tokens.mint(ANY, ANY, TTL) + "\n")
        self._written_at = time.time()

    async def keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if time.time() - self._written_at > TTL / 2:
                self._try_write()

    def _try_write(self) -> None:
        try:
            self.write()
        except UsageError as error:  # a full disk; the next look tries again
            log.error("the join token could not be renewed: %s", error)
