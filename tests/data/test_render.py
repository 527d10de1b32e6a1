"""The renderer against scenes whose image is known by hand."""

import numpy as np
import pytest

from umt_lib.data.render import LIGHT, MARGIN, camera, render
from umt_lib.errors import StudyError

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
QUADS = [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
CUBE_FACES = np.array([t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))])


def square(z: float, half: float) -> np.ndarray:
    return np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])


def merge(*vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares of four vertices each as one mesh."""
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return np.concatenate(vertices), np.concatenate([faces + 4 * k for k in range(len(vertices))])


def test_cube_from_the_front_is_a_square_of_one_grey():
    image = render(CUBE, CUBE_FACES, azimuth=0, elevation=0, size=64)
    rows, columns = np.nonzero(image == image[32, 32])
    side = 64 * MARGIN / np.sqrt(3)  # the corners lie on the unit sphere
    assert abs(np.ptp(rows) + 1 - side) <= 1
    assert np.ptp(rows) == np.ptp(columns)
    assert (np.ptp(rows) + 1) ** 2 == len(rows)  # filled: no holes along the diagonals
    assert abs(int(image[32, 32]) - 255 * (0.2 + 0.8 * LIGHT[2])) <= 1
    assert rows.min() + rows.max() == columns.min() + columns.max() == 63  # centred


def test_turning_a_cube_shows_a_second_face_of_another_grey():
    image = render(CUBE, CUBE_FACES, azimuth=45, elevation=0, size=64)
    assert abs(int(image[32, 20]) - int(image[32, 44])) > 50  # the light comes from the left
    width = np.ptp(np.nonzero(image[32])[0]) + 1
    assert abs(width - 64 * MARGIN * np.sqrt(2 / 3)) <= 2


def test_nearer_face_hides_the_farther_one_in_either_order():
    tilted = square(0.0, 0.3) @ camera(0, 40) + [0, 0, 0.6]  # another normal, so another grey
    wall = square(-0.3, 0.6)
    for parts in ((tilted, wall), (wall, tilted)):
        front, rear = (render(*merge(*parts), azimuth, 0, 64) for azimuth in (0, 180))
        assert len(np.unique(rear[24:40, 24:40])) == 1  # the wall alone
        assert abs(int(front[32, 32]) - int(front[32, 12])) > 20
        np.testing.assert_array_equal(front, render(*merge(*parts[::-1]), 0, 0, 64))


def test_interpenetrating_faces_meet_where_their_depths_are_equal():
    flat, slope = square(0.0, 0.6), square(0.0, 0.6) @ camera(0, 45)
    image = render(*merge(flat, slope), 0, 0, 64, supersample=1)
    top, bottom = image[20, 32], image[44, 32]
    assert top != bottom
    assert image[31, 32] == top
    assert image[33, 32] == bottom


def test_front_and_rear_differ_for_an_asymmetric_mesh_and_mirror_a_symmetric_one():
    chair = CUBE * [1, 0.2, 1], CUBE * [1, 1, 0.1] + [0, 1, -0.9]
    vertices, faces = np.concatenate(chair), np.concatenate([CUBE_FACES, CUBE_FACES + 8])
    front, rear = (render(vertices, faces, a, 30) for a in (0, 180))
    assert (front != rear).mean() > 0.05
    np.testing.assert_array_equal(*(render(CUBE, CUBE_FACES, a, 30) for a in (0, 180)))


@pytest.mark.parametrize(("azimuth", "column"), [(0, 24), (90, 16), (180, 7)])
def test_azimuth_walks_counter_clockwise_seen_from_above(azimuth, column):
    # one small cube on +x beside a mirror image far below the camera's centre line
    marks = np.concatenate([CUBE * 0.1 + [1, 0, 0], CUBE * 0.1 - [1, 0, 0]])
    faces = np.concatenate([CUBE_FACES, CUBE_FACES + 8])
    marks[:8, 1] += 1  # the +x cube is the upper one
    marks[8:, 1] -= 1
    upper = render(marks, faces, azimuth, 0, 32)[:16]
    columns = np.nonzero(upper)[1]
    assert abs((columns.min() + columns.max()) / 2 - column) < 4


def test_up_axis_turns_a_z_up_mesh_upright():
    rng = np.random.default_rng(3)
    y_up = rng.normal(size=(30, 3))
    z_up = np.stack([y_up[:, 0], -y_up[:, 2], y_up[:, 1]], 1)
    faces = rng.integers(0, 30, (20, 3))
    for azimuth in (0, 70, 180):
        expected = render(y_up, faces, azimuth, 20)
        np.testing.assert_array_equal(render(z_up, faces, azimuth, 20, up="z"), expected)
    assert (render(z_up, faces, 0) != render(y_up, faces, 0)).any()


def test_image_does_not_depend_on_the_mesh_position_or_scale():
    moved = 32 * CUBE + [5, -7, 9]
    np.testing.assert_array_equal(
        render(CUBE, CUBE_FACES, 25, 20), render(moved, CUBE_FACES, 25, 20)
    )


def test_bad_mesh_and_bad_axis_are_told():
    with pytest.raises(StudyError, match="0 faces"):
        render(CUBE, np.zeros((0, 3), int), 0)
    with pytest.raises(StudyError, match="finite"):
        render(CUBE * np.nan, CUBE_FACES, 0)
    with pytest.raises(StudyError, match=r"up axis 'Z'.*known: y, z"):
        render(CUBE, CUBE_FACES, 0, up="Z")
