"""10,000 routes in 1,000 virtual hosts, and requests that are spread over all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh import Json, virtual_service

HOSTS = tuple(f"svc-{number:04}.bench" for number in range(1_000))
_PREFIXES = tuple(f"/api/v{number}/" for number in range(9))  # and one route for everything else
_PATHS = (*(f"{prefix}items?page=2" for prefix in _PREFIXES), "/cart/items?page=2")

# The requests are made beforehand, and sent in an order that jumps from host to host; 7919 is a prime. A field differs,
# so that no head is like the one before it with one host either: only the number of routes is to make a difference.
_SCRIPT = """
local hosts = {%s}
local paths = {%s}
local requests, sent = {}, 0

function init(args)
  for _, host in ipairs(hosts) do
    for _, path in ipairs(paths) do
      local number = tostring(#requests + 1)
      requests[#requests + 1] = wrk.format("GET", path, {Host = host, ["X-Request"] = number})
    end
  end
end

function request()
  sent = sent + 7919
  return requests[sent %% #requests + 1]
end
"""


def virtual_services(destination: str) -> Iterator[Json]:
    target = {"route": [{"destination": {"host": destination}}]}
    matches: list[Json] = [*({"match": [{"uri": {"prefix": prefix}}]} for prefix in _PREFIXES), {}]
    for number, host in enumerate(HOSTS):
        yield virtual_service(f"svc-{number}", host, [match | target for match in matches])


def write_script(file: Path, hosts: Sequence[str] = HOSTS) -> Path:
    """A script for wrk."""
    file.write_text(_SCRIPT % tuple(", ".join(f'"{text}"' for text in texts) for texts in (hosts, _PATHS)))
    return file
