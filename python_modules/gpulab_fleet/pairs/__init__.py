"""Node pairs: who is measured with whom, what is required, and whose fault a slow pair is."""
