"""What the garbage collector of a proxy's process looks at. Nothing of ours is imported here.

Hardly any garbage needs it: what a request or a connection leaves goes by its reference counts. But while it
looks at all there is, modules mostly, nobody is answered: for a sixth of a second, measured in a small mesh.
"""

import gc


def spare_what_is_loaded() -> None:
    """It never looks at that again. For before there is a configuration, which may become garbage."""
    gc.freeze()
