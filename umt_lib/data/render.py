"""Render a mesh as a grey image: orthographic z-buffer with Lambert shading in numpy.

Angles are degrees. With ``up="y"`` (Sweet Home 3D, glTF) azimuth 0 puts the camera on +z looking
along -z with +x to the right; with ``up="z"`` (ModelNet40, Blender) it puts the camera on -y
looking along +y, again with +x to the right. A positive azimuth moves the camera counter-clockwise
as seen from above (azimuth 90 is on +x), azimuth 180 shows the rear, a positive elevation looks
down.
"""

from __future__ import annotations

import numpy as np

from umt_lib.errors import StudyError, nearest

UP = {"y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}  # rows: x, up, front
LIGHT = np.array([-0.35, 0.55, 0.76])  # in camera axes (right, up, towards the camera), unit length
AMBIENT = 0.2
MARGIN = 0.97  # the unit sphere fills this part of the image, so the border is background
CHUNK = 1 << 21  # candidate pixels held in memory at once


def unit_sphere(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Centre the bounding box at the origin and scale the farthest used vertex to radius 1.

    Args:
        vertices: (n, 3).
        faces: (m, 3) int; vertices that are in no face are ignored for centre and radius.
    """
    used = vertices[np.unique(faces)]
    centred = vertices - (used.min(0) + used.max(0)) / 2
    radius = np.linalg.norm(centred[np.unique(faces)], axis=1).max()
    return centred / max(radius, 1e-12)


def camera(azimuth: float, elevation: float) -> np.ndarray:
    """Camera rotation (3, 3), rows are the right, up and backward axes; angles in degrees."""
    a, e = np.radians([azimuth, elevation])
    ca, sa, ce, se = np.cos(a), np.sin(a), np.cos(e), np.sin(e)
    return np.array([[ca, 0, -sa], [-se * sa, ce, -se * ca], [ce * sa, se, ce * ca]])


def render(
    vertices: np.ndarray,
    faces: np.ndarray,
    azimuth: float,
    elevation: float = 20.0,
    size: int = 32,
    up: str = "y",
    supersample: int = 4,
) -> np.ndarray:
    """Render one view of a triangle mesh, scaled to the unit sphere: (size, size) uint8.

    The background is 0. Both sides of a face are lit, because the order of a face's vertices is not
    consistent in furniture meshes.

    Args:
        vertices: (n, 3) float.
        faces: (m, 3) int, rows of ``vertices``.
        azimuth, elevation: degrees, see the module.
        size: side of the image in pixels.
        up: the vertical axis of the mesh, "y" or "z".
        supersample: the image is rendered this many times larger and averaged, so that thin parts
            become fainter instead of being interrupted.

    Raises:
        StudyError: there are no faces, a vertex is not finite, or ``up`` is unknown.
    """
    if up not in UP:
        raise StudyError(f"render: up axis {up!r} is unknown{nearest(up, UP)}")
    vertices, faces = np.asarray(vertices, float), np.asarray(faces)
    if len(faces) == 0 or not np.isfinite(vertices).all():
        raise StudyError(
            f"render: a mesh of {len(faces)} faces and {len(vertices)} vertices has no faces or a "
            f"vertex that is not finite; repair the mesh or leave it out"
        )
    seen = unit_sphere(vertices, faces) @ (camera(azimuth, elevation) @ UP[up]).T
    triangles = seen[faces]  # (m, corner, axis)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normals, axis=1)
    normals *= np.where(normals[:, 2] < 0, -1, 1)[:, None] / np.maximum(length, 1e-12)[:, None]
    shade = AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)  # (m,)
    n = size * supersample
    triangles[:, :, :2] = (triangles[:, :, :2] * [MARGIN, -MARGIN] + 1) * n / 2 - 0.5  # to pixels
    image = z_buffer(triangles, shade, n)
    blocks = image.reshape(size, supersample, size, supersample)
    return np.rint(255 * blocks.mean((1, 3))).astype(np.uint8)


def z_buffer(triangles: np.ndarray, shade: np.ndarray, n: int) -> np.ndarray:
    """Draw (n, n) float: each pixel has the shade of the nearest triangle, or 0 without one.

    Args:
        triangles: (m, 3, 3): column, row (pixel centres are integers) and depth, larger = nearer.
        shade: (m,) in [0, 1].
    """
    xy = triangles[:, :, :2]
    low = np.clip(np.ceil(xy.min(1)), 0, n).astype(int)  # first and last pixel centre inside
    high = np.clip(np.floor(xy.max(1)), -1, n - 1).astype(int)
    width, height = np.maximum(high - low + 1, 0).T
    area = width * height
    e1, e2 = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    det = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]  # 0: seen edge-on, covers nothing
    keep = np.flatnonzero((area > 0) & (np.abs(det) > 1e-12))
    depth, image = np.full(n * n, -np.inf), np.zeros(n * n)
    for part in np.split(keep, np.flatnonzero(np.diff(np.cumsum(area[keep]) // CHUNK)) + 1):
        k = np.repeat(part, area[part])  # the triangle of each candidate pixel
        within = np.arange(len(k)) - np.repeat(np.cumsum(area[part]) - area[part], area[part])
        col, row = low[k, 0] + within % width[k], low[k, 1] + within // width[k]
        dx, dy = col - xy[k, 0, 0], row - xy[k, 0, 1]
        u = (dx * e2[k, 1] - dy * e2[k, 0]) / det[k]
        v = (dy * e1[k, 0] - dx * e1[k, 1]) / det[k]
        inside = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9)
        k, u, v, pixel = k[inside], u[inside], v[inside], (row * n + col)[inside]
        corner = triangles[k, :, 2]
        z = corner[:, 0] + u * (corner[:, 1] - corner[:, 0]) + v * (corner[:, 2] - corner[:, 0])
        order = np.argsort(z, kind="stable")  # far to near: the nearest is written last
        order = order[z[order] > depth[pixel[order]]]
        depth[pixel[order]], image[pixel[order]] = z[order], shade[k[order]]
    return image.reshape(n, n)
