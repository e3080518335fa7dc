"""New training images: drawn from nothing, or made from images that exist."""
