"""Stands in for main.py when the functions framework asks for a source file.

The framework executes its source file anew for each function. In production that is once per process; here
one process serves them all, and a second execution fails where main.py declares a deploy-time parameter. So
main.py is imported once, and this file hands out its functions.
"""

import importlib
import os


def __getattr__(name: str) -> object:
    return getattr(importlib.import_module(os.environ["ECOLANE_MAIN_MODULE"]), name)
