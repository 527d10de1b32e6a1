"""From raw videos, sounds and meshes to arrays on disk: one recipe per data set."""
