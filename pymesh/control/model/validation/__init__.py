"""What each kind's fields must say, as strict as Istio's webhook, one file a kind. Types were checked before."""
