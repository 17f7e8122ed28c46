"""Istio's kinds, one file each: the typed spec and its validation. The kind table and the serializer. No IO."""
