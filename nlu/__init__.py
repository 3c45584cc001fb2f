"""Understanding of one text: normalisation, words, intent, entities. A leaf: knows no other service."""
