"""The data plane: one process beside each service, or at the edge of the mesh.

    socket -> downstream: listener, filter chain, http_connection_manager, Stream
           -> http_filters ... router -> routing: which cluster -> upstream: which endpoint, which connection
    Stream complete -> telemetry: counters, access log, span
    control plane -> xds: decode, runtime -> the objects above

With --concurrency, `workers` makes that several processes under a supervisor, and a proxy still looks like one.

Arrows go down only: codec < matchers, routing < tls < telemetry < upstream < http_filters < downstream < xds. The data
path is callbacks, never a task a request; configuration is compiled before it is used and swapped whole.
"""
