"""The admin port: what a proxy is and does now, and the few things that can be asked of it. Envoy's paths."""
