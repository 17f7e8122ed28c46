"""Which process runs where: the measured proxies on one core; the loads, the backends and control on the other."""

PROXY_CORE = "0"
LOAD_CORE = "1"


def on_proxy_core(*command: str) -> list[str]:
    return ["taskset", "-c", PROXY_CORE, *command]


def on_load_core(*command: str) -> list[str]:
    return ["taskset", "-c", LOAD_CORE, *command]
