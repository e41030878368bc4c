"""A model that answers from the sources it is given, at a language model's pace, and misbehaves on request."""
