"""The page, and the HTTP interface under it: ``sdd-serve``.

A request walks through ``guards`` (who may ask), ``bodies`` (bytes, no more than allowed and none
on disk), ``queue`` (a bounded line) and ``judging`` (one image, in a thread) to an answer of
``answers``. ``app`` puts them together, ``server`` listens.
"""

from steel_defect_detection import extras

for _name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
    extras.load(_name, extra="serve")
