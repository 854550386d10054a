"""Walk-forward: parameters are chosen again and again on the past, and only what they then did counts."""
