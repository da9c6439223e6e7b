"""The command line: names and options, a file a group; each command's work is imported when it runs."""
