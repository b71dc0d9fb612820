"""One read model of the journal, shared by console, commands and recorder."""
