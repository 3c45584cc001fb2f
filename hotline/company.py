"""The company's own material: the sample shop for an empty knowledge base, and its words for the recogniser."""
