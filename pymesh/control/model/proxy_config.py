"""ProxyConfig: settings of the proxies themselves.

https://istio.io/latest/docs/reference/config/networking/proxy-config/
"""

from pymesh.control.model.messages import Message, WorkloadSelector


class ProxyImage(Message):
    image_type: str = ""
    """Which of Istio's container images; means nothing without containers."""


class ProxyConfig(Message):
    selector: WorkloadSelector | None = None
    """Labels of the workloads that obey; all of the namespace where it is absent, of the mesh in the root namespace."""
    concurrency: int | None = None
    """How many processes a proxy uses; here its flag --concurrency says that."""
    environment_variables: dict[str, str] = {}
    """Environment variables of the proxy, for custom tags of traces."""
    image: ProxyImage | None = None
    """The container image of the proxy."""
