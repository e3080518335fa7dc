"""Prediction on many machines, with Ray Data.

``sources`` lists the images, ``place`` is where results go, ``parts`` are the
results of some images each, ``worker`` judges them, and ``predict`` deals them out.
"""

from steel_defect_detection.distributed.cluster import Cluster
from steel_defect_detection.distributed.predict import predict_addresses
from steel_defect_detection.distributed.sources import Input, find

__all__ = ["Cluster", "Input", "find", "predict_addresses"]
