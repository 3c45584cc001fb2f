"""Training of the bundled recogniser: data, augmentation, model, loop, export. Needs torch; runs no call."""
