"""The operator's document, from the file to a published snapshot: load → check → compile → reload."""
