"""Clusters, their endpoints, which of them serves a request, and the connections to it."""
