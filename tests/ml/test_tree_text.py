from __future__ import annotations

import numpy as np
import pytest

from ml import ranker
from ml.ranker import Ranker, RankerConfig
from ml.tree_text import check_trees, only_trees

FEATURES = ["é", "level"]

TREE = """Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
split_gain=57.8589 3.55271e-15
threshold=0.74 -1e-05
decision_type=2 10
left_child=1 -1
right_child=-2 -3
leaf_value=-0.2 0.5 0
leaf_weight=5.67 8.22 2
leaf_count=96 57 30
internal_value=4.4e-09 0.1
internal_weight=30 16
internal_count=183 126
is_linear=0
shrinkage=0.1


"""
STUMP = """Tree=1
num_leaves=1
num_cat=0
split_feature=
split_gain=
threshold=
decision_type=
left_child=
right_child=
leaf_value=0
leaf_weight=
leaf_count=30
internal_value=
internal_weight=
internal_count=
is_linear=0
shrinkage=1


"""
HEAD = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=lambdarank
feature_names=é level
feature_infos=[-0.5:0.99] none
"""


def text_of(*trees: str, head: str = HEAD) -> str:
    sizes = " ".join(str(len(tree)) for tree in trees)
    return f"{head}tree_sizes={sizes}\n\n{''.join(trees)}end of trees\n"


def learned(rng: np.random.Generator, least: int) -> tuple[str, np.ndarray]:
    features = rng.random((50, 6, 2)).astype(np.float32)
    relevant = np.eye(6, dtype=bool)[features[:, :, 0].argmax(axis=1)]
    return ranker.fit(features, relevant, FEATURES, RankerConfig(trees=3, least=least), seed=0).text, features


@pytest.mark.parametrize("trees", [(TREE,), (STUMP,), (TREE, STUMP, TREE)])
def test_takes_trees_as_lightgbm_writes_them(trees):
    check_trees(text_of(*trees), FEATURES)
    assert np.isfinite(Ranker(text_of(*trees), tuple(FEATURES)).score(np.zeros((1, 4, 2), np.float32))).all()


@pytest.mark.parametrize("least", [5, 1000])
def test_takes_what_was_learned_whether_there_was_anything_to_split_or_not(rng, least):
    text, _ = learned(rng, least)
    check_trees(text, FEATURES)
    assert only_trees(text + "\nparameters:\n[seed: 0]\n") == text


def test_refuses_every_truncation():
    text = text_of(TREE, STUMP)
    for length in range(len(text)):
        with pytest.raises(ValueError, match="not a whole one"):
            check_trees(text[:length], FEATURES)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("version=v4", "version=v5"),
        ("num_class=1", "num_class=2"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=0"),
        ("objective=lambdarank", "objective=lambdarank\nmore=1"),
        ("max_feature_idx=1", "max_feature_idx=2"),
        ("feature_infos=[-0.5:0.99] none", "feature_infos=none"),
        ("feature_infos=[-0.5:0.99] none", "feature_infos=[nan:1] none"),
        ("feature_names=é level", "feature_names=é\0 level"),
        ("feature_names=é level", "feature_names=level é"),
        ("feature_names=é level", "feature_names=é"),
        ("feature_names=é level", "feature_names=é\rlevel"),
        ("feature_names=é level", "feature_names=é\u2003level"),
        ("feature_names=é level", "feature_names=é  level"),
    ],
)
def test_refuses_another_head(line, wrong):
    assert line in HEAD
    with pytest.raises(ValueError, match=r"no text of LightGBM|trees over|said of the features"):
        check_trees(text_of(TREE, head=HEAD.replace(line, wrong)), FEATURES)


@pytest.mark.parametrize(
    ("line", "wrong", "message"),
    [
        ("leaf_value=-0.2 0.5 0", "leaf_value=nan 0.5 0", "finite"),
        ("leaf_value=-0.2 0.5 0", "leaf_value=-inf 0.5 0", "finite"),
        ("leaf_value=-0.2 0.5 0", "leaf_value=1e999 0.5 0", "finite"),
        ("leaf_value=-0.2 0.5 0", "leaf_value=0.5 -1e38 0", "beyond all measure"),
        ("threshold=0.74 -1e-05", "threshold=nan 0", "finite"),
        ("split_gain=57.8589 3.55271e-15", "split_gain=1e999 0", "finite"),
        ("threshold=0.74 -1e-05", "threshold=0 1e400", "finite"),
        ("threshold=0.74 -1e-05", "threshold=0.٧٤ 0", "finite"),
        ("leaf_value=-0.2 0.5 0", "leaf_value=-0.2 0.5", "not as many numbers"),
        ("split_gain=57.8589 3.55271e-15", "split_gain=57.8589", "not as many numbers"),
        ("leaf_count=96 57 30", "leaf_count=96 57", "not as many numbers"),
        ("num_leaves=3", "num_leaves=4", "not as many numbers"),
        ("split_feature=0 1", "split_feature=0 2", "features that there are not"),
        ("split_feature=0 1", "split_feature=-1 1", "features that there are not"),
        ("left_child=1 -1", "left_child=999 -1", "child of one other"),
        ("right_child=-2 -3", "right_child=-2 -9", "child of one other"),
        ("left_child=1 -1", "left_child=0 -1", "child of one other"),  # round and round
        ("left_child=1 -1", "left_child=-1 -1", "child of one other"),
        ("decision_type=2 10", "decision_type=2 1", "other lines"),  # of categories that there are not
        ("num_cat=0", "num_cat=1", "other lines"),
        ("is_linear=0", "is_linear=1", "other lines"),
        ("split_gain=57.8589 3.55271e-15\n", "", "other lines"),
        ("shrinkage=0.1", "shrinkage=0.1\nleaf_value=1 2 3", "other lines"),
    ],
)
def test_refuses_another_tree(line, wrong, message):
    assert line in TREE
    with pytest.raises(ValueError, match=f"the tree 1 .*{message}"):
        check_trees(text_of(TREE, TREE.replace(line, wrong)), FEATURES)


def test_refuses_trees_of_another_length_than_is_said():
    text = text_of(TREE, STUMP)
    size = f"tree_sizes={len(TREE)} "
    for wrong in (
        text.replace(size, f"tree_sizes={len(TREE) - 1} "),
        text.replace(size, "tree_sizes="),
        text.replace("Tree=0", "between\nTree=0"),
        text.replace(STUMP, ""),
    ):
        assert wrong != text
        with pytest.raises(ValueError, match="as long as is said"):
            check_trees(wrong, FEATURES)


def test_what_passes_gives_finite_scores_whatever_was_changed(rng):
    text, features = learned(rng, 5)
    passed = 0
    for at in rng.integers(len(text), size=400).tolist():
        changed = text[:at] + str(rng.choice(list("0123456789-.e \nn"))) + text[at + 1 :]
        try:
            changed_ranker = Ranker(changed, tuple(FEATURES))
        except ValueError:
            continue
        passed += 1
        assert np.isfinite(changed_ranker.score(features[:2])).all()
    assert 0 < passed < 400
