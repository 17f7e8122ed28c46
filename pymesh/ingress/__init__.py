"""The gateway: the proxy's composition with node type `router`, and the rules of an edge."""
