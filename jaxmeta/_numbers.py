"""Refusal of numbers that an argument cannot be, for modules that do without JAX, too.

Every refusal is a `ValueError` that begins with "Argument `name` must".
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable
from typing import Any


def refused(name: str, requirement: str, found: str) -> ValueError:
    """The error of an argument, to be raised."""
    return ValueError(f"Argument `{name}` must {requirement}, but {found}.")


def told(value: Any) -> str:
    """What was found in place of a number or an array."""
    simple = value is None or isinstance(value, (bool, int, float, complex, str, bytes))
    return f"is {value!r}" if simple else f"is of type {type(value).__name__}"


def plain_number(name: str, value: Any, requirement: str, valid: Callable[[float], bool] = lambda _: True) -> float:
    """The argument as a Python float.

    Args:
        name: of the argument.
        value: a real number of Python, or one of NumPy or JAX of no dimension.
        requirement: what the argument must; for the error.
        valid: whether a number is as required.

    Raises:
        ValueError: it is not a single real number, or not `valid`.
    """
    shape = getattr(value, "shape", ())
    if shape != ():
        raise refused(name, requirement, f"has shape {shape}")
    number = value.item() if hasattr(value, "shape") else value
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise refused(name, requirement, told(number))
    number = float(number)
    if not valid(number):
        raise refused(name, requirement, f"is {number}")
    return number


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """The argument as a Python integer.

    Raises:
        ValueError: it is not a whole number, or less than `least`.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise refused(name, "be a whole number", told(value)) from error
    if isinstance(value, bool):
        raise refused(name, "be a whole number", told(value))
    if number < least:
        raise refused(name, "not be negative" if least == 0 else f"be at least {least}", f"is {number}")
    return number


def require_numbers(parameters: Any, *names: str) -> None:
    """Refuse attributes that are no single real numbers, or infinite. NaN is left to the check of their range."""
    for name in names:
        plain_number(name, getattr(parameters, name), "be a finite number", lambda x: not math.isinf(x))
