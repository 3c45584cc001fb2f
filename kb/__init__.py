"""The company's knowledge: FAQ entries and documents, hybrid search, grounded answers. A leaf."""
