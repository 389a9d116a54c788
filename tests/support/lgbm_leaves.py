"""The leaves that an exported LightGBM graph reaches, for a comparison with LightGBM."""

import lightgbm
import numpy as np
import onnx
import onnxruntime


def leaf_numbers(model: onnx.ModelProto, booster: lightgbm.Booster, rows: np.ndarray) -> np.ndarray:
    """The leaf reached in each tree, (rows, trees), from a copy of the graph whose leaf weights are leaf numbers.

    The copy has one target per tree. Leaves are identified by their values in the original graph, which LightGBM
    numbers.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    trees = copy.graph.node[0]
    attributes = {attribute.name: attribute for attribute in trees.attribute}
    tree_ids = np.array(attributes["target_treeids"].ints)
    weights = np.array(attributes["target_weights"].floats, dtype=np.float32)
    numbers = np.full(len(weights), -1.0, dtype=np.float32)
    for tree in range(booster.num_trees()):
        leaves = int((tree_ids == tree).sum())
        values = np.array([booster.get_leaf_output(tree, leaf) for leaf in range(leaves)], dtype=np.float32)
        assert len(np.unique(values)) == leaves, "leaves with the same value cannot be identified"
        for leaf, value in enumerate(values):
            numbers[(tree_ids == tree) & (weights == value)] = leaf
    assert (numbers >= 0).all()
    for name, values in (("target_weights", numbers.tolist()), ("target_ids", tree_ids.tolist())):
        field = attributes[name].floats if name == "target_weights" else attributes[name].ints
        del field[:]
        field.extend(values)
    attributes["n_targets"].i = booster.num_trees()
    del copy.graph.node[1:]
    del copy.graph.initializer[:]
    copy.graph.output[0].name = "trees"
    copy.graph.output[0].type.tensor_type.shape.dim[1].dim_value = booster.num_trees()
    session = onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"features": rows})[0].astype(int)
