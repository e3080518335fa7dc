"""Networks: the gate, the segmenter, and the graphs that wrap them from uint8 to probabilities."""
