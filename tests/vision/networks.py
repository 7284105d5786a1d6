"""Tiny networks with random weights, saved as their libraries save them."""

import torch

from geolive.tables import vistas_classes
from geolive.vision.backbones import Backbone
from geolive.vision.preprocessing import Preprocessing


def mean_colour(width=3, crop=16):
    """A backbone whose feature is the mean of the standardised channels."""

    class Mean(torch.nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3))

    preprocessing = Preprocessing(crop, crop, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Backbone("mean", Mean(), width, preprocessing, {"source": "none"})


def save_mask2former(folder, names=None):
    """A Mask2Former of 65 classes in the order of Mapillary Vistas, as its authors' checkpoints have them."""
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessor,
        SwinConfig,
    )

    names = names or vistas_classes().sort_values("vistas_index")["name"].tolist()
    stages = [f"stage{i}" for i in range(1, 5)]
    swin = SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, image_size=64, out_features=stages
    ).to_dict()
    small = dict.fromkeys(["hidden_dim", "feature_size", "mask_feature_size"], 32)
    small |= dict.fromkeys(["encoder_feedforward_dim", "dim_feedforward"], 16) | {"num_attention_heads": 2}
    config = Mask2FormerConfig(
        backbone_config=swin,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
        encoder_layers=1,
        decoder_layers=2,
        num_queries=100,
        **small,
    )
    torch.manual_seed(0)
    network = Mask2FormerForUniversalSegmentation(config).eval()
    with torch.no_grad():  # surer of itself than random numbers are
        network.class_predictor.weight.mul_(30)
        for layer in network.model.transformer_module.decoder.mask_predictor.mask_embedder.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_(3)
    network.save_pretrained(folder)
    Mask2FormerImageProcessor(size={"height": 64, "width": 96}, num_labels=len(names)).save_pretrained(folder)
    return folder
