"""What a replay would bring, found out by planning its commit and not carrying it out."""
