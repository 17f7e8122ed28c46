"""pymesh: a service mesh in pure Python.

The modules beside this file are the kernel: what the proxy and the control plane both need, and which imports nothing
else of ours. `proxy` is the data plane, `control` the control plane, `ingress` the gateway, `cli` the commands.
`proxy` and `control` never import each other: they meet on the wire that `pymesh.xds` describes.
"""

__version__ = "0.1.0"
