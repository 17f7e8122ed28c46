"""TLS contexts, secrets, the peer's identity and the workload's own certificate."""
