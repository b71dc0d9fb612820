"""What lasts: journal, store, replay, history, proof tests, hash chain."""
