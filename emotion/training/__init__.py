"""Training of the text valence model."""
