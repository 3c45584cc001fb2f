"""One file per synthesiser; each imports its library lazily."""
