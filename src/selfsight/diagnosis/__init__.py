"""Is a run healthy: how far its vectors spread, and the word for it."""
