"""New training images, drawn from noise."""
