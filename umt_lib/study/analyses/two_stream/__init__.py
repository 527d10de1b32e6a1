"""Predictions of public RGB and flow networks on UCF101, combined by every rule of UME."""
