"""A small shop: a checkout with a retry, a timer, an event and a compensation, and a sidecar that dies on the way."""
