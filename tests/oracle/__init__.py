"""The oracle: the real Envoy and pymesh get the same xDS, the same requests and the same servers, and must do the same.

    script.py        the vocabulary: Case, Setup, steps; read it before you write a case
    cases/           the cases, a module a subject
    resources.py     Setup -> xDS: what `pymesh control` translates, plus what the setup merges into it
    proxies.py       starts the two proxies (pymesh_process.py is ours)
    player.py        plays a script against one proxy; endpoints.py are the two ends that it moves
    observation.py   what was seen, as comparable lines; wire.py reads messages out of bytes
    run.py           plays all cases, many at a time, and plays those that differ again, alone
    http2.py         a client's frames for scripts, and messages out of a proxy's
    differences.yaml the deliberate differences, each with its reason
    test_oracle.py   a test a case

Compared are: status lines, fields (those that vary by nature are a `*`; order counts among fields of the same name),
bodies, trailers, whether the client's connection was kept, closed or reset, every request head and body that a server
saw and by how many connections, and the access log's status, flags, details, route and cluster.

A case is a name, steps in the order in which they happen, and a Setup:

    case(
        "a response that begins before the request has ended",
        send(http("POST / HTTP/1.1\\nHost: shop\\nContent-Length: 4")),
        requested(),                            # wait until a server has a request's head
        respond(200, "X-A: b", body="early"),   # ... and let that server answer
        answered(),                             # wait until the client has a complete response
        send(b"body"),
        setup=Setup(at=INBOUND, route={"timeout": "0.2s"}),
    )

Without a step of the server's, `serve()` is in force: each request that is complete gets a 200 `ok`;
`serve(response(503), OK)` gives the first another answer. A script ends when nothing has happened for 0.3 s; one that
does not wait for anything at the client waits for a response before. What a step waits for in vain (3 s) is noted.

To see what both do: `pytest tests/oracle -k "part of the name"`; add `--show-oracle -s` for cases that agree.
"""
