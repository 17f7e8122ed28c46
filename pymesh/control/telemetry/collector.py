"""What the mesh's proxies report: metrics merged across proxies and restarts, traces kept for a while."""


class Collector:
    """Takes OTLP requests, already decoded, and answers what `/metrics` and `/debug/traces` show."""
