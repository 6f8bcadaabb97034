"""The text that LightGBM keeps trees as, and a check of it before LightGBM reads it.

    tree                                what it is, the names of the features, and how long each tree is, in bytes
    version=v4 ... tree_sizes=762 873

    Tree=0                              the root is node 0; of the children, n above 0 is a node, and -1 - n the leaf n
    num_leaves=6 ... shrinkage=0.1

    Tree=1 ...

    end of trees                        what follows is of no use for scores

LightGBM believes what it reads: over a text that is cut short it ends the whole process, where a node points outside of
its tree it reads whatever lies there, and of a leaf that is no number it makes scores that are none. So only what it
would write itself is let through, as `SaveModelToString` and `Tree::ToString` do in its source, version 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_END = "end of trees\n"
_LARGEST_LEAF = 1e12  # the squares of sums over many trees are numbers of float32 then

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_INFO = rf"(?:none|\[{_NUMBER}:{_NUMBER}\])"  # from where to where a feature goes


def _several(one: str) -> str:
    return rf"(?:{one}(?: {one})*)?"


_HEAD = re.compile(
    r"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=(?P<last>[0-9]+)\n"
    rf"objective=lambdarank\nfeature_names=(?P<names>[^\n\0]*)\nfeature_infos=(?P<infos>{_several(_INFO)})\n"
    rf"tree_sizes=(?P<sizes>{_several('[0-9]+')})\n\n"
)
_INTEGERS, _NUMBERS = _several("-?[0-9]{1,10}"), _several(_NUMBER)
_LINES = {
    "Tree": "[0-9]+",
    "num_leaves": "[0-9]+",
    "num_cat": "0",
    "split_feature": _INTEGERS,
    "split_gain": _NUMBERS,
    "threshold": _NUMBERS,
    "decision_type": _several("(?:0|2|4|6|8|10)"),  # what is missing goes where; odd ones are splits of categories
    "left_child": _INTEGERS,
    "right_child": _INTEGERS,
    "leaf_value": _NUMBERS,
    "leaf_weight": _NUMBERS,
    "leaf_count": _INTEGERS,
    "internal_value": _NUMBERS,
    "internal_weight": _NUMBERS,
    "internal_count": _INTEGERS,
    "is_linear": "0",
    "shrinkage": _NUMBER,
}
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_NODES = (
    "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child", "internal_value",
    "internal_weight", "internal_count",
)  # fmt: skip
_TREE = re.compile("".join(rf"{name}=(?P<{name}>{value})\n" for name, value in _LINES.items()) + "\n\n")


def only_trees(text: str) -> str:
    """What of LightGBM's text is needed for scores: the parameters that follow are not."""
    return text[: text.index(_END) + len(_END)]


def check_trees(text: str, features: Sequence[str]) -> None:
    """ValueError unless `text` is what `only_trees` gives of trees over these `features`, in their order."""
    head = _HEAD.match(text)
    if not head or not text.endswith(_END):
        raise ValueError("this is no text of LightGBM's, or not a whole one")
    if not head["names"].split() == head["names"].split(" ") == list(features):  # no name with a space of any sort
        raise ValueError(f"these are trees over {head['names']!r}, not {' '.join(features)!r}")
    if not len(features) == int(head["last"]) + 1 == len(head["infos"].split()):
        raise ValueError(f"what is said of the features is not of {len(features)}")
    before, *trees = re.split("(?=Tree=)", text[head.end() : -len(_END)])
    if before or head["sizes"].split() != [str(len(tree)) for tree in trees]:
        raise ValueError("the trees are not as long as is said of them")
    for place, tree in enumerate(trees):
        if wrong := _what_is_wrong(tree, len(features)):
            raise ValueError(f"the tree {place} {wrong}")


def _what_is_wrong(tree: str, n_features: int) -> str | None:
    found = _TREE.fullmatch(tree)
    if not found:
        return "has other lines than those of a tree, or what are no finite numbers"
    numbers = {name: np.array(value.split(), dtype=np.float64) for name, value in found.groupdict().items()}
    leaves = int(found["num_leaves"])
    lengths = dict.fromkeys(_OF_NODES, leaves - 1) | dict.fromkeys(_OF_LEAVES, leaves)
    if leaves == 1:
        lengths["leaf_weight"] = 0  # the only one that is not told
    if any(len(numbers[name]) != length for name, length in lengths.items()):
        return f"has not as many numbers as {leaves} leaves have"
    children = sorted([*numbers["left_child"].tolist(), *numbers["right_child"].tolist()])
    nodes = np.arange(leaves - 1)
    if leaves > 1 and children != [*range(-leaves, 0), *range(1, leaves - 1)]:
        return "has nodes that are not each the child of one other"
    if any(((numbers[side] >= 0) & (numbers[side] <= nodes)).any() for side in ("left_child", "right_child")):
        return "has nodes before their parents"
    if not ((numbers["split_feature"] >= 0) & (numbers["split_feature"] < n_features)).all():
        return "asks for features that there are not"
    is_finite = np.isfinite(np.concatenate(list(numbers.values()))).all()
    if not (is_finite and np.abs(numbers["leaf_value"]).max() <= _LARGEST_LEAF):
        return "has numbers that are not finite, or beyond all measure"
    return None
