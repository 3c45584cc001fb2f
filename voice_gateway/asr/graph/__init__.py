"""The language model of the ears: lexicon, n-gram, and the graphs compiled from them."""
