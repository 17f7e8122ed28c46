"""The ports of a sidecar: bound before there is a configuration, the same after a restart. Nothing is accepted here.

The inbound one does not listen until its listener does: peers that know it from a sidecar that was killed are refused
and go elsewhere, where they would wait in its backlog for an application that has not started.
"""

import socket
from functools import partial

from pymesh.proxy.instance import Instance
from pymesh.proxy.options import SidecarOptions
from pymesh.proxy.sockets import bind_address, bind_flag, bound_address, reserve
from pymesh.xds import Address, Upstream

APP_HOST = "127.0.0.1"

_FLAGS = {"inbound": "--inbound-listen", "outbound": "--outbound-listen", "admin": "--admin-listen"}


class SidecarPorts:
    """The sockets of a sidecar, bound; each port that it may choose is the one of last time, if that is free."""

    def __init__(self, options: SidecarOptions, instance: Instance) -> None:
        self._instance = instance
        self._is_shared = options.proxy.concurrency > 1
        self.sockets: dict[Address, socket.socket] = {}
        self.app_port = self._assign_app_port() if options.assigns_app_port else options.app_port
        self.inbound = self._open("inbound", options.inbound_listen) if self.app_port else None
        self.outbound = self._open("outbound", options.outbound_listen)
        self.upstreams = tuple(self._open_upstream(upstream) for upstream in options.upstreams)
        self.admin_socket = self._bind("admin", options.proxy.admin_listen)
        self.admin = bound_address(self.admin_socket)
        instance.save()

    def describe(self) -> dict[str, object]:
        """For the admin page /ports."""
        return {
            "inbound": str(self.inbound) if self.inbound else None,
            "outbound": str(self.outbound),
            "admin": str(self.admin),
            "app": self.app_port,
            "upstreams": [
                {"listen": f"{APP_HOST}:{u.local_port}", "service": u.service, "port": u.port} for u in self.upstreams
            ],
        }

    def _open(self, role: str, address: Address) -> Address:
        sock = self._bind(role, address, self._is_shared)
        if role == "inbound":
            sock = reserve(sock)
        bound = bound_address(sock)
        self.sockets[bound] = sock
        return bound

    def _open_upstream(self, upstream: Upstream) -> Upstream:
        role = f"{upstream.service}:{upstream.port}"
        bound = self._open(role, Address(APP_HOST, upstream.local_port))
        return Upstream(bound.port, upstream.service, upstream.port)

    def _bind(self, role: str, address: Address, is_shared: bool = False) -> socket.socket:
        preferred = self._instance.ports.get(role, 0)
        flag = _FLAGS.get(role)
        bind = partial(bind_flag, flag) if flag else bind_address
        sock = bind(address, preferred, is_shared)
        self._instance.ports[role] = bound_address(sock).port
        return sock

    def _assign_app_port(self) -> int:
        """A port that is free now, for an application that is about to start."""
        with self._bind("app", Address(APP_HOST, 0)) as sock:
            return bound_address(sock).port
