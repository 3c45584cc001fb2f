"""Voice activity detection: a shared loaded engine, and a stream of state for each call."""
