"""What a process knows about the models that it asks, and how it acts upon it: a pure core, and the gatekeeper around it."""
