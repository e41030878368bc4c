"""Small programs beside the system: the exercises of its case study."""
