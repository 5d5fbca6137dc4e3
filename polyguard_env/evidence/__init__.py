"""The evidence corpus (passages from the knowledge tables and supplied labels) and the index that searches it."""
