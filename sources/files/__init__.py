"""Messages that lie in files or archives: read as if they came, with nothing to settle."""
