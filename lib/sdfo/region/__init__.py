"""Which pixels of an image must be exact: the protected region. Nothing here finds a lesion."""
