"""One job's delivery, from taking it to letting it go: a pure core, and the shell that lets it touch the world."""
