"""The mesh without the mesh: Istio's YAML and a call -> what would become of it, and why. No socket.

`files` reads configuration, `workloads` finds who calls and who is called, `mesh` translates for a proxy and decodes
the result with the proxy's own decoders (once for each proxy), `traffic` sends a call through: listener, filter chain,
virtual host, route, cluster, endpoints. `decision` is the answer and its JSON, `explanation` the reasons in words,
`cases` and `coverage` are for `pymesh test`. Translation and matching are those of the control plane and of the proxy;
nothing here decides a match by itself. The error kinds are those of Istio's own simulation (pilot/pkg/simulation).
"""
