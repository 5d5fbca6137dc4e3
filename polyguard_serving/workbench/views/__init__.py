"""What the Workbench shows, as HTML. Text is always escaped."""
