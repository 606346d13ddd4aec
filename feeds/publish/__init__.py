"""Where frames go: the local link and log files."""
