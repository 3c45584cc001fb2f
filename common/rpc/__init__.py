"""gRPC ground: server with health, reflection and drain; client channels; interceptors; error mapping."""
