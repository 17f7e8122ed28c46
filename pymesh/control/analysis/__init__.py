"""What is wrong with a mesh's configuration although each object is valid: Istio's analyzers, one file a subject.

Pure: resources in, messages out. https://istio.io/latest/docs/reference/config/analysis/
"""
