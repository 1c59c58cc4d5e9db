"""How a worker works: the stream to the sidecar, the cache of runs, the running of activities."""
