"""The mesh's collector: metrics and spans of all proxies, in OTLP over HTTP, and where they are read."""
