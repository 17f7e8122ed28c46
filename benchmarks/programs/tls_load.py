"""A new mTLS connection for each request, from a few threads, and a full handshake each time: no session is kept.

`tls_load.py PORT SECONDS THREADS CERTIFICATE ROOT`: key and chain of the client, and whom it trusts. Prints JSON.
"""

import socket
import ssl
import sys
import threading
import time

from outcome import print_outcome

REQUEST = b"GET / HTTP/1.1\r\nHost: payment\r\nConnection: close\r\n\r\n"
ALPN = ["istio", "http/1.1"]  # what sidecars say to each other; nginx knows only the second


class Client(threading.Thread):
    def __init__(self, port: int, until: float, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self._address = ("127.0.0.1", port)
        self._until = until
        self._context = context
        self.latencies: list[float] = []
        self.failures = 0

    def run(self) -> None:
        while (start := time.perf_counter()) < self._until:
            try:
                is_answered = self._request()
            except OSError:
                is_answered = False
            if is_answered:
                self.latencies.append(time.perf_counter() - start)
            else:
                self.failures += 1

    def _request(self) -> bool:
        sock = socket.create_connection(self._address, timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._context.wrap_socket(sock) as connection:
            connection.sendall(REQUEST)
            answer = b""
            while data := connection.recv(65536):
                answer += data
        return answer.startswith(b"HTTP/1.1 200 ")


def build_context(certificate: str, root: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the server's name is a SPIFFE id
    context.load_cert_chain(certificate)
    context.load_verify_locations(root)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(ALPN)
    return context


def main() -> None:
    port, seconds, threads = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    context = build_context(sys.argv[4], sys.argv[5])
    start = time.perf_counter()
    clients = [Client(port, start + seconds, context) for _ in range(threads)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    latencies = [latency for client in clients for latency in client.latencies]
    failures = sum(client.failures for client in clients)
    print_outcome(len(latencies), time.perf_counter() - start, latencies, failures)


if __name__ == "__main__":
    main()
