"""The detector: VFNet on a backbone that a laptop can train, from records to a checkpoint.

Only this folder, the engines of ``counting`` and ``icevision_bridge`` import torch.
"""
