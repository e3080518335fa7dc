"""Export: networks in files of other engines, compared with PyTorch before they are written."""
