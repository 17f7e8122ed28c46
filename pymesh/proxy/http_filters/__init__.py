"""HTTP filters, one file each: its config, its decode and its run. The router is the last of every chain."""
