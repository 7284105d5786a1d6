"""Make graphcnn_reference.npz: an extract of ../shared/data/reference/graphcnn_numerics.npz, small enough to keep here.

Its numbers are what the authors' network computes (see ../shared/data/README.md). Kept are the graphs of 5 and of 120
vertices without their padding, one set of layers of each kind, and the graph part of one network; its two dense layers are
left out, being most of its weights. Run: python tests/models/data/make_graphcnn_reference.py
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SOURCE = HERE.parents[3] / "shared" / "data" / "reference" / "graphcnn_numerics.npz"
SIZES = (5, 120)


def extract(source: np.lib.npyio.NpzFile) -> dict[str, np.ndarray]:
    kept = {}
    for graph, n in enumerate(SIZES):
        kept[f"V_{n}"] = source["V"][graph, :n]
        kept[f"A_{n}"] = source["A"][graph, :n, :, :n]
        kept[f"gcn_L1_out_{n}"] = source["gcn_L1_out"][graph, :n]
        for name in ("gep_L1_mask_V", "gep_L1_mask_A", "gep_L1_ones_V", "gep_L1_ones_A"):
            kept[f"{name}_{n}"] = source[name][graph]
        for name in ("net_cls_mask_infer_act2", "net_cls_mask_infer_act7"):
            kept[f"{name}_{n}"] = source[name][graph]
    kept["A3_5"] = source["A3"][0, :5, :, :5]
    kept["gcn_L3_out_5"] = source["gcn_L3_out"][0, :5]
    weights = ("gcn_L1/", "gcn_L3/", "gep_L1/", "net_cls_mask/")
    return kept | {
        k: source[k] for k in source.files if k.startswith(weights) and "/FC/" not in k and "/final/" not in k
    }


if __name__ == "__main__":
    with np.load(SOURCE) as file:
        np.savez_compressed(HERE / "graphcnn_reference.npz", **extract(file))
