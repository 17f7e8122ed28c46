"""The Kubernetes-shaped REST API of the configuration."""
