"""The cases of the corpus, one module a subject."""
