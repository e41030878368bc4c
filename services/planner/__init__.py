"""Plans outlines: from a brief and what its sources are about to sections that can be written in parallel."""
