"""Convert raw videos, sounds and meshes to arrays: one recipe per data set."""
