import subprocess
import sys

PROGRAM = """
import sys
import pymesh.proxy.http_filters.factories
before = [name for name in ("jwt", "cryptography") if name in sys.modules]
from pymesh.proxy.jwt_verify.key_set import read_key_set
read_key_set("{}")
print(before, "jwt" in sys.modules)
"""


def test_a_proxy_without_tokens_does_not_import_cryptography() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == "[] True\n"
