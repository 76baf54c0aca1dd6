"""What the corpus of pickles and checkpoints is made of: a module for each subject."""
