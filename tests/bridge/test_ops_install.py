"""How mmcv's missing compiled module is replaced, and what becomes of what is not bridged."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from icevision_bridge import ops
from icevision_bridge.errors import BridgeError

ops.install()

import mmcv  # noqa: E402
import mmcv.ops as mmcv_ops  # noqa: E402


def test_every_module_of_mmcv_ops_is_imported_and_a_second_installation_changes_nothing():
    before = sys.modules["mmcv._ext"]
    assert ops.install() is True
    assert sys.modules["mmcv._ext"] is before
    for file in Path(mmcv_ops.__file__).parent.glob("*.py"):
        importlib.import_module(f"mmcv.ops.{file.stem}")


def test_an_operation_without_a_bridge_names_itself_when_it_is_called():
    layer = mmcv_ops.CARAFE(kernel_size=3, group_size=1, scale_factor=2)
    with pytest.raises(BridgeError, match=r"'carafe_forward'.*Choose a model"):
        layer(torch.zeros(1, 2, 3, 3), torch.zeros(1, 9, 6, 6))


def test_the_stand_in_does_not_answer_to_what_python_probes_for():
    stand_in = sys.modules["mmcv._ext"]
    assert not hasattr(stand_in, "__path__")
    assert not hasattr(stand_in, "_private")
    assert importlib.util.find_spec("mmcv._ext").origin == "icevision_bridge.ops"


def test_the_environment_is_described():
    from mmcv.utils import collect_env

    assert "icevision_bridge" in collect_env()["MMCV Compiler"]


COMPILED = {
    "def nms(): return 'compiled'": (False, "compiled"),
    "raise ImportError('undefined symbol')": (True, None),
}


@pytest.mark.parametrize("source", COMPILED)
def test_a_compiled_module_is_used_if_it_loads(source, tmp_path, monkeypatch):
    """With a package of that name which has a module where mmcv would have its compiled one."""
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv" / "__init__.py").touch()
    (tmp_path / "mmcv" / "_ext.py").write_text(source)
    for name in ("mmcv", "mmcv._ext"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    bridged, answer = COMPILED[source]
    assert ops.install() is bridged
    if not bridged:
        assert importlib.import_module("mmcv._ext").nms() == answer


def test_masked_convolution_is_the_convolution_where_the_mask_is():
    torch.manual_seed(0)
    layer = mmcv_ops.MaskedConv2d(3, 5, (3, 5), padding=(1, 2)).double()
    image, mask = torch.randn(1, 3, 7, 6).double(), torch.rand(1, 7, 6) > 0.5
    expected = torch.nn.functional.conv2d(image, layer.weight, layer.bias, padding=(1, 2))
    torch.testing.assert_close(layer(image, mask), expected * mask)
    assert torch.count_nonzero(layer(image, mask & False)) == 0


def test_operations_that_mmcv_has_in_plain_torch_run():
    torch.manual_seed(0)
    image = torch.randn(1, 2, 4, 4)
    # Corner pooling: the running maximum towards one side.
    expected = torch.stack([image[..., j:].amax(-1) for j in range(4)], -1)
    torch.testing.assert_close(mmcv_ops.CornerPool("left")(image), expected)
    centre = mmcv_ops.point_sample(image, torch.tensor([[[0.5, 0.5]]]))
    torch.testing.assert_close(centre[..., 0], image[..., 1:3, 1:3].mean((2, 3)))
    regions = mmcv_ops.SimpleRoIAlign(2, 1.0, aligned=True)(
        image, torch.tensor([[0.0, 0, 0, 4, 4]])
    )
    torch.testing.assert_close(regions, torch.nn.functional.avg_pool2d(image, 2))
    assert mmcv.ops is mmcv_ops
