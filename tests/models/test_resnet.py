"""ResNets: any channels, frames averaged, uint8 normalised on the way, weights from the cache."""

import pytest
import torch
from torchvision.models import resnet18

from umt_lib.errors import StudyError
from umt_lib.models.resnet import MEAN, STD, ResNet3D18, ResNet18


def made(kind, shape, **options):
    torch.manual_seed(0)
    return kind(shape, **options).eval()


def picture(*shape):
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A network whose weights lie where torchvision keeps the downloaded ones."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    torch.manual_seed(3)
    net = resnet18()
    torch.save(net.state_dict(), file)
    return net.eval(), file


def test_the_features_are_torchvisions_pooled_ones(cached):
    net, _ = cached
    encoder = made(ResNet18, (3, 40, 40), weights="imagenet")
    x = torch.randn(2, 3, 40, 40)
    net.fc = torch.nn.Identity()
    torch.testing.assert_close(encoder(x), net(x))
    assert [n for n, _ in encoder.named_children()][-4:] == [f"layer{i}" for i in range(1, 5)]


@pytest.mark.parametrize("channels", [1, 20])
def test_the_first_kernel_for_other_channels_is_the_mean_of_rgb(cached, channels):
    """Equal channels then give what three equal ones gave."""
    net, _ = cached
    encoder = made(ResNet18, (channels, 32, 32), weights="imagenet")
    x = torch.randn(2, 1, 32, 32)
    grey, many = x.expand(2, 3, 32, 32), x.expand(2, channels, 32, 32)
    torch.testing.assert_close(encoder.conv1(many), net.conv1(grey), rtol=1e-4, atol=1e-5)
    fresh = made(ResNet18, (channels, 32, 32)).conv1.weight
    assert fresh.detach().std() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.1)  # He, fan out
    if channels > 1:
        assert not torch.equal(fresh[:, 0], fresh[:, 1])


def test_frames_are_encoded_each_and_averaged():
    encoder = made(ResNet18, (3, 20, 32, 32))
    x = torch.randn(2, 3, 20, 32, 32)
    each = torch.stack([encoder(x[:, i]) for i in range(3)])
    torch.testing.assert_close(encoder(x), each.mean(0))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(ResNet18, (3, 32, 32)), (ResNet18, (2, 32, 32)), (ResNet3D18, (2, 3, 16, 16))],
)
def test_uint8_is_standardised_and_floating_point_is_not(kind, shape):
    encoder, x = made(kind, shape), picture(2, *shape)
    rgb = shape[-3] == 3
    mean, std = (MEAN, STD) if rgb else (0.5, sum(STD) / 3)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (mean, std))
    standardised = (x / 255 - mean) / std
    torch.testing.assert_close(encoder(x), encoder(standardised), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(encoder(x), encoder(x.float()))
    torch.testing.assert_close(encoder(standardised.half()), encoder(standardised.half().float()))


def test_the_3d_network_sees_the_order_of_frames_and_the_2d_one_does_not():
    x = torch.randn(2, 4, 3, 16, 16)
    flat, deep = made(ResNet18, x.shape[1:]), made(ResNet3D18, x.shape[1:])
    torch.testing.assert_close(flat(x), flat(x.flip(1)))
    assert not torch.allclose(deep(x), deep(x.flip(1)), rtol=1e-2)


def test_normalisation_moves_with_the_encoder_and_stays_out_of_checkpoints():
    encoder = made(ResNet18, (3, 32, 32))
    assert not {"mean", "std"} & set(encoder.state_dict())
    assert {n for n, _ in encoder.named_buffers()} >= {"mean", "std"}


def test_a_truncated_weights_file_is_one_sentence(cached):
    _, file = cached
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(
        StudyError, match=r"resnet18-f37072fd\.pth cannot be loaded .*weights: none"
    ):
        ResNet18((3, 32, 32), weights="imagenet")


def test_weights_that_cannot_be_downloaded_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the port that discards: refused
    with pytest.raises(StudyError, match=r"cannot be loaded .*put it into .*checkpoints"):
        ResNet18((3, 32, 32), weights="imagenet")
