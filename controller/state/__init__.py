"""Facts about a controller, read from its journal for console, commands and recorder."""
