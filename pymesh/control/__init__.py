"""The control plane: one process that is config store, registry, CA, xDS server and telemetry collector.

Istio YAML -> model: decode, validate -> store -> snapshot: MeshSnapshot, ProxyView -> translate: xDS JSON
           -> xds: publisher, long-poll
sidecars -> registry (WorkloadEntry under a lease), ca (certificates), telemetry (metrics, spans)
"""
