"""What pretraining is worth: every arm with the same few labels, from cells on disk to a page."""
