"""Pure functions from a ProxyView to xDS resources in JSON. Files are named by the xDS noun that they write."""
