"""TorchScript networks as ordinary modules, so that any layer can be named and tapped.

A scripted module runs its children inside the TorchScript runtime, where hooks of theirs are never
called and cannot even be set. So the graph of every module is followed here, in Python: a call of
a child becomes an ordinary module call, everything else an operator of torch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from auditor.errors import InputError

Value = Any
"""What a TorchScript value can be: a tensor, number, text, list, tuple, module or None."""
Node = Any
"""A node, block or value of a TorchScript graph; torch has no public types for them."""
Action = Callable[[list[Value], dict[str, Value]], Sequence[Value]]
"""What a node does: its inputs and all values known so far in, its outputs out."""


PYTHON: dict[str, Callable[..., Value]] = {
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::__getitem__": operator.getitem,
    "aten::__contains__": operator.contains,
    "aten::len": len,
    "aten::copy.t": list,
    "aten::list.t": list,
    "aten::add.t": operator.add,
    "aten::mul.left_t": operator.mul,
    "aten::slice.t": lambda values, *places: values[slice(*places)],
    "aten::format": str.format,
}
"""Operators on values of any type, which torch does not offer to Python, by kind or schema."""


@final
class ScriptedModule(nn.Module):
    """A scripted module with the same weights, children and results."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        """Take the module apart.

        Raises:
            InputError: One of its graphs holds a kind of node that cannot be followed.
        """
        super().__init__()
        self.training = script.training
        for name, parameter in script.named_parameters(recurse=False):
            self.register_parameter(name, nn.Parameter(parameter.detach()))
        for name, buffer in script.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        children: dict[str, Any] = dict(script.named_children())
        for name, child in children.items():
            self.add_module(name, ScriptedModule(child))
        compiled = script._c
        self._script = [script]  # in a list, so that it is no child of its own
        self._programs = {
            name: Program.of(compiled._get_method(name).graph) for name in compiled._method_names()
        }

    def forward(self, *inputs: Value) -> Value:
        """What the scripted `forward` returns."""
        return self.call("forward", inputs)

    def call(self, method: str, inputs: Sequence[Value]) -> Value:
        """What the scripted method of this name returns."""
        program = self._programs[method]
        results = program.run(dict(zip(program.inputs, (self, *inputs), strict=True)))
        return results[0] if len(results) == 1 else tuple(results)

    def get(self, name: str) -> Value:
        """A parameter, buffer or child, or else a constant of the scripted module."""
        for own in (self._parameters, self._buffers, self._modules):
            if name in own:
                return own[name]
        return self.training if name == "training" else getattr(self._script[0], name)


@dataclass(frozen=True)
class Program:
    """A graph or block: steps in order, with the names of the values that go in and out."""

    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    @staticmethod
    def of(block: Node) -> Program:
        return Program(names(block.inputs()), steps_of(block.nodes()), names(block.outputs()))

    def run(self, values: dict[str, Value]) -> list[Value]:
        for step in self.steps:
            inputs = [values[name] for name in step.inputs]
            values.update(zip(step.outputs, step.action(inputs, values), strict=True))
        return [values[name] for name in self.outputs]


@dataclass(frozen=True)
class Step:
    """One node."""

    action: Action
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def steps_of(nodes: Iterable[Node]) -> tuple[Step, ...]:
    return tuple(Step(action_of(n), names(n.inputs()), names(n.outputs())) for n in nodes)


def names(values: Iterable[Node]) -> tuple[str, ...]:
    return tuple(value.debugName() for value in values)


def action_of(node: Node) -> Action:
    """What a node does.

    Raises:
        InputError: It is of a kind that cannot be followed.
    """
    match node.kind():
        case "prim::Constant":
            constant = node.output().toIValue()
            return lambda _inputs, _values: [constant]
        case "prim::GetAttr":
            name = node.s("name")
            return lambda inputs, _values: [inputs[0].get(name)]
        case "prim::CallMethod":
            return method_call(node.s("name"))
        case "prim::CallFunction":
            return function_call(node)
        case "prim::If":
            return branch(node)
        case "prim::Loop":
            return loop(node)
        case "prim::ListConstruct":
            return lambda inputs, _values: [inputs]
        case "prim::TupleConstruct":
            return lambda inputs, _values: [tuple(inputs)]
        case "prim::ListUnpack" | "prim::TupleUnpack":
            return lambda inputs, _values: inputs[0]
        case "prim::unchecked_cast":
            return lambda inputs, _values: inputs
        case "prim::Uninitialized":
            return lambda _inputs, _values: [None]
        case "prim::RaiseException":
            return refuse
        case "aten::append":
            return append
        case "aten::_set_item":
            return set_item
        case "aten::warn":
            return lambda _inputs, _values: []
        case kind if function := PYTHON.get(kind, PYTHON.get(node.schema().partition("(")[0])):
            return lambda inputs, _values: [function(*inputs)]
        case _:
            return torch_operator(node)


def method_call(name: str) -> Action:
    # A plain module call for `forward`, so that hooks on the child run.
    if name == "forward":
        return lambda inputs, _values: [inputs[0](*inputs[1:])]
    return lambda inputs, _values: [inputs[0].call(name, inputs[1:])]


def function_call(node: Node) -> Action:
    """A call of a scripted function such as `F.relu`: its body, inlined by torch."""
    function, *arguments = node.inputs()
    graph: Node = torch._C.Graph()
    constant = graph.insertNode(graph.createClone(function.node(), None))
    copies = {function.debugName(): constant.output()}
    given: list[int] = []
    for position, argument in enumerate(arguments, start=1):
        if argument.debugName() not in copies:
            # Operators find their schema by the types of their inputs.
            copies[argument.debugName()] = graph.addInput().setType(argument.type())
            given.append(position)
    call = graph.insertNode(graph.createClone(node, lambda value: copies[value.debugName()]))
    for output in call.outputs():
        graph.registerOutput(output)
    torch._C._jit_pass_inline(graph)
    body = Program.of(graph)
    return lambda inputs, _values: body.run(
        {name: inputs[position] for name, position in zip(body.inputs, given, strict=True)}
    )


def branch(node: Node) -> Action:
    taken, other = (Program.of(block) for block in node.blocks())
    return lambda inputs, values: (taken if inputs[0] else other).run(values)


def loop(node: Node) -> Action:
    (block,) = node.blocks()
    body = Program.of(block)

    def action(inputs: list[Value], values: dict[str, Value]) -> Sequence[Value]:
        limit, going, *carried = inputs
        turn = 0
        while going and turn < limit:
            values.update(zip(body.inputs, (turn, *carried), strict=True))
            going, *carried = body.run(values)
            turn += 1
        return carried

    return action


def refuse(inputs: list[Value], _values: dict[str, Value]) -> Sequence[Value]:
    raise InputError(f"the TorchScript network refuses its input: {inputs[0]}")


def append(inputs: list[Value], _values: dict[str, Value]) -> Sequence[Value]:
    # torch would append to a copy of the list; the same holds for `set_item`.
    inputs[0].append(inputs[1])
    return inputs[:1]


def set_item(inputs: list[Value], _values: dict[str, Value]) -> Sequence[Value]:
    inputs[0][inputs[1]] = inputs[2]
    return inputs[:1]


def torch_operator(node: Node) -> Action:
    """Any operator of torch, found by its schema; inputs stand in the order of its arguments."""
    if node.schema() == "(no schema)":
        raise unfollowable(node)
    schema = torch._C.parse_schema(node.schema())
    if any(changes_container(one) or of_any_type(one) for one in schema.arguments):
        raise unfollowable(node)
    namespace, name = schema.name.split("::")
    overloads = getattr(getattr(torch.ops, namespace), name)
    operation = getattr(overloads, schema.overload_name or "default")
    num_positional = sum(not argument.kwarg_only for argument in schema.arguments)
    keywords = [argument.name for argument in schema.arguments if argument.kwarg_only]
    num_outputs = node.outputsSize()

    def action(inputs: list[Value], _values: dict[str, Value]) -> Sequence[Value]:
        named = dict(zip(keywords, inputs[num_positional:], strict=True))
        result = operation(*inputs[:num_positional], **named)
        return [result] if num_outputs == 1 else result

    return action


def changes_container(argument: Node) -> bool:
    """Whether an operator writes into a list or dict, which Python would hand it as a copy."""
    alias = argument.alias_info
    return alias is not None and alias.is_write and argument.type.kind() != "TensorType"


def of_any_type(argument: Node) -> bool:
    """Whether an argument is a list or value of any type; Python's lists do not say theirs."""
    kinds = {argument.type.kind(), *(one.kind() for one in argument.type.containedTypes())}
    return "VarType" in kinds


def unfollowable(node: Node) -> InputError:
    return InputError(
        f"the TorchScript network uses `{node.kind()}`, which cannot be followed layer by layer",
        hint="Trace it instead of scripting it, or export it with torch.export.",
    )
