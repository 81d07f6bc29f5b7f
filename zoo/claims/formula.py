"""Arithmetic written as text: + - * /, numbers, names, min and max. Nothing else is evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max}


class FormulaError(ValueError):
    """The formula is not plain arithmetic, names something unknown, or divides by zero."""


def evaluate(formula: str, names: Mapping[str, float]) -> float:
    """The value of `formula` with `names` put in. Raises FormulaError.

    >>> evaluate("(a + b) / 2", {"a": 1.0, "b": 2.0})
    1.5
    """
    try:
        return _value(ast.parse(formula, mode="eval").body, names)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise error if isinstance(error, FormulaError) else FormulaError(f"'{formula}' is no formula") from None
    except ZeroDivisionError:
        raise FormulaError(f"'{formula}' divides by zero") from None
    except OverflowError:
        raise FormulaError(f"'{formula}' is too large a number") from None


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name):
            raise FormulaError(f"the formula names '{name}', which is no input")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(arg, names) for arg in args))
        case _:
            pass
    raise FormulaError(f"'{ast.unparse(node)}' is no arithmetic")
