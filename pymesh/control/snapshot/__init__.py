"""MeshSnapshot: all objects at one revision, indexed and immutable. ProxyView: what one proxy may see of it."""
