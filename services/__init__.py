"""The services. They share `services.shared` and never import each other."""
