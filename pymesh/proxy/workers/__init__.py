"""`--concurrency N`: a data plane of N worker processes that listen on the same ports, under one supervisor.

    control plane <- ProxyServer -> WorkerPool ==channel==> Worker -> LocalDataPlane     one process each
                                        |----- channel ---> Worker -> LocalDataPlane
                                        '- SharedSockets: each worker's listening sockets

The supervisor is the proxy without its data plane: it alone talks to the control plane, writes the disk cache, serves
the admin port. Workers are told over a Unix socket pair (`channel`, `messages`) what it is told, and answer what they
refuse and what they have counted. What the workers have counted is added up before anybody sees it.

- Ports are shared with SO_REUSEPORT: the kernel gives each connection to one worker, by a hash of its addresses, and
  there it stays. The supervisor keeps every listening socket open beside its worker, so what waits in the queue of one
  that dies is served by its replacement. Connections that the dead one had accepted are reset.
- A resource is judged by one worker and given to the others only if that accepts it: it is refused once.
- Of what a killed worker has counted after it was last read (a scrape, or an export each 5 s), nobody knows, nor of its
  last second of access log and spans.
- Each worker has its own load balancer, connection pools, outlier detection, DNS cache and health checks: an endpoint
  that one has ejected may still be used by the others. Limits of clients' connections are each worker's, and so is
  a cluster's limit of connections to one endpoint.
- Circuit breakers hold for the proxy as a whole: all workers count in shared memory. As in Envoy, two that take the
  last place at once both have it, and each worker's pool may open one connection to an endpoint although none is left.
- Workers ignore SIGTERM, SIGINT and SIGUSR1, which reach all processes of a service or a terminal at once; they end
  when the supervisor says so, or with it: its death closes the channel.
"""
