"""One file per recogniser library; each imports its library lazily."""
