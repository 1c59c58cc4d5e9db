"""What lies in these folders runs inside the environments of the clients, not in ours."""

collect_ignore = ["durabletask", "dapr"]
