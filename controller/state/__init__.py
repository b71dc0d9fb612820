"""One read model of the journal for console, commands and recorder."""
