"""Pure functions from a ProxyView to xDS resources in JSON. Files are named by the xDS noun that they write.

`build.build(view)` is the way in.
"""
