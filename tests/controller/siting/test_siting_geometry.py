"""Distances, containment and barriers of the siting audit, by their properties."""

import math

import pytest
from hypothesis import example, given, strategies as st

from controller.siting import geometry as g, ground, sight
from tests.tables import cases

SQUARE = g.polygon([(0, 0), (2, 0), (2, 2), (0, 2)])
# a U with its notch at the top
NOTCHED = g.polygon([(0, 0), (6, 0), (6, 4), (4, 4), (4, 2), (2, 2), (2, 4), (0, 4)])


def box(x, y, wide=2, high=2, turned_deg=0):
    return g.rectangle((x, y), (wide, high), turned_deg)


numbers = st.integers(-4000, 4000).map(lambda mm: mm / 1000)
rectangles = st.builds(
    lambda x, y, wide, high, turned: g.rectangle((x, y), (wide, high), turned),
    numbers,
    numbers,
    st.integers(100, 3000).map(lambda mm: mm / 1000),
    st.integers(100, 3000).map(lambda mm: mm / 1000),
    st.integers(-180, 180),
)
lines = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=4, unique=True).map(
    lambda some: g.Shape((*some,))
)


def star(radii_m, x_m=0.0):
    turn = 2 * math.pi / len(radii_m)
    return g.polygon(
        [
            (x_m + radius_m * math.cos(at * turn), radius_m * math.sin(at * turn))
            for at, radius_m in enumerate(radii_m)
        ]
    )


radii_m = st.lists(st.integers(300, 3000).map(lambda mm: mm / 1000), min_size=3, max_size=7)
stars = radii_m.map(star)
shapes = st.one_of(rectangles, lines, stars)


def moved(shape, by, turned_deg):
    turned = math.radians(turned_deg)
    cos, sin = math.cos(turned), math.sin(turned)
    return shape._replace(
        points=tuple(
            [(x * cos - y * sin + by[0], x * sin + y * cos + by[1]) for x, y in shape.points]
        )
    )


@given(shapes, shapes)
def test_a_gap_is_symmetric(first, second):
    there, back = g.gap(first, second), g.gap(second, first)
    assert there.distance_m == pytest.approx(back.distance_m, abs=1e-12)
    assert math.dist(there.start, there.end) == pytest.approx(there.distance_m, abs=1e-9)


def ring(count, radius_m, x_m=0.0):
    return star([radius_m] * count, x_m)


@given(shapes, shapes)
@example(SQUARE, ring(40, 9.0))
@example(g.outline(ring(40, 9.0)), SQUARE)
@example(SQUARE, g.Shape(((3.0, -1e6), (3.0, 1e6), (1e6, 1e6))))
def test_the_edges_left_out_are_never_the_nearest(first, second):
    every = [g.segment_gap(*one, *other) for one in g.edges(first) for other in g.edges(second)]
    found = g._edge_gaps(g.edges(first), g.edges(second))
    nearest = [each for each in every if each.distance_m <= min(every).distance_m + g.ROUNDING_m]
    assert [each for each in found if each in nearest] == nearest and min(found) == min(every)


@cases("""measure  work  most
    "segment_gap"  lambda far: g.gap(SQUARE, far)  40
    "segment_gap"  lambda far: g.gap(far, SQUARE)  40
    "segment_gap"  lambda far: ground.fault_of_outline(far.points)  400
    "segment_gap"  lambda far: ground.overlaps(SQUARE, far)  0
    "point_gap"  lambda far: g.contains(far, (2, 2))  0""")
def test_only_few_of_many_edges_are_measured(monkeypatch, measure, work, most):
    calls, exact = [], getattr(g, measure)
    monkeypatch.setattr(g, measure, lambda *points: calls.append(1) or exact(*points))
    work(ring(200, 5.0, 20.0))
    assert len(calls) <= most


@pytest.mark.parametrize("end", [(9.976, 0.691), (29.601, 4.879), (28.809, 8.37), (25.228, 16.234)])
@pytest.mark.parametrize("by", [(0, 0), (40, -70), (4000, -7000)])
def test_parts_of_one_straight_line_do_not_cross(end, by):
    """The distance between the parts before and after a line is the length of the line."""
    start, end = by, (by[0] + end[0], by[1] + end[1])
    length_m = math.dist(start, end)
    before, beyond = [
        tuple([at[axis] + reach_m * (end[axis] - start[axis]) / length_m for axis in (0, 1)])
        for at, reach_m in ((start, -1e6), (end, 1e6))
    ]
    assert g.segment_gap(before, start, end, beyond).distance_m == pytest.approx(length_m)


@given(shapes, shapes, st.tuples(numbers, numbers), st.integers(-360, 360))
def test_moving_the_plan_changes_no_distance(first, second, by, turned_deg):
    before = g.gap(first, second).distance_m
    after = g.gap(moved(first, by, turned_deg), moved(second, by, turned_deg)).distance_m
    assert after == pytest.approx(before, abs=1e-9)


@given(rectangles, rectangles)
def test_the_ends_of_a_gap_are_on_the_shapes(first, second):
    gap = g.gap(first, second)
    for shape, point in ((first, gap.start), (second, gap.end)):
        assert g.gap(shape, g.Shape((point,))).distance_m < 1e-9


@given(rectangles, rectangles)
def test_a_gap_is_zero_only_if_the_shapes_touch(first, second):
    """Separating axes: two rectangles touch if no axis has a positive gap."""

    def apart(one, other):
        found = []
        for a, b in g.edges(one):
            length = math.dist(a, b)
            found.append(min([-g.side(a, b, each) / length for each in other.points]))
        return max(found)

    separation_m = max(apart(first, second), apart(second, first))
    distance_m = g.gap(first, second).distance_m
    if separation_m > 1e-6:
        assert distance_m >= separation_m - 1e-9
    elif separation_m < -1e-6:
        assert distance_m == 0
        assert separation_m > -1e-4 or ground.overlaps(first, second)


@cases("""shape  distance_m
    *((box(4, 1), 1.0), (box(3, 1), 0.0), (box(5, 1, turned_deg=45), 3 - 2**0.5))
    *((g.Shape(((5.0, 6.0),)), 5.0), (g.Shape(((1.0, 1.0),)), 0.0))
    g.Shape(((-1.0, 3.0), (3.0, 3.0)))  1.0""")
def test_known_distances(shape, distance_m):
    assert g.gap(SQUARE, shape).distance_m == pytest.approx(distance_m, abs=1e-12)


def test_a_gap_between_parallel_walls_is_in_the_middle_of_their_common_part():
    gap = g.gap(SQUARE, g.rectangle((5, 2), (2, 2), 0))
    assert gap.start == pytest.approx((2, 1.5)) and gap.end == pytest.approx((4, 1.5))


@cases("""shape  overlaps
    *((box(2, 1), True), (box(3, 1), False), (SQUARE, True), (box(1, 1, 0.5, 0.5, 30), True))
    *((box(1, 1, 9, 9), True), (box(3.001, 1), False), (box(2.999, 1), True))""")
def test_overlap_is_more_than_a_touch(shape, overlaps):
    assert ground.overlaps(shape, SQUARE) == ground.overlaps(SQUARE, shape) == overlaps


@given(
    st.tuples(numbers, numbers),
    st.integers(-180, 180),
    st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]),
)
def test_long_rectangles_side_by_side_only_touch(center_m, turned_deg, beside):
    for size_m in ((12.192, 2.438), (2.438, 12.192), (100, 0.05), (0.8, 1.0)):
        first = g.rectangle(center_m, size_m, turned_deg)
        for nearer_m, overlaps in ((0, False), (0.0001, True)):
            by = [(size - nearer_m) * way for size, way in zip(size_m, beside, strict=True)]
            (center,) = moved(g.Shape((by,)), center_m, turned_deg).points
            other = g.rectangle(center, size_m, turned_deg)
            assert ground.overlaps(first, other) == ground.overlaps(other, first) == overlaps


SHARING = (SQUARE, box(2, 1), box(1, 1, 1, 1), box(1, 1, 1, 4), box(1, 1, 2, 1))
SHARING += (g.polygon([(0, 0), (2, 2), (0, 2)]), g.polygon([(-3, -3), (5, 5), (-3, 5)]))
# side by side, corner to corner, apart, almost touching
ASIDE = (box(3, 1), box(3, 3), box(5, 2), box(1.5, 4, 2, 3.999))


@given(st.tuples(numbers, numbers), st.sampled_from([0, 90, 180, 270]))
def test_two_areas_share_ground(by, turned_deg):
    first = moved(SQUARE, by, turned_deg)
    for shape in (*SHARING, *ASIDE):
        second, shares = moved(shape, by, turned_deg), shape in SHARING
        assert ground.share_ground(first, second) == ground.share_ground(second, first) == shares


@given(rectangles, rectangles)
def test_rectangles_that_overlap_share_ground(first, second):
    shares = ground.share_ground(first, second)
    assert shares or not ground.overlaps(first, second)
    assert not shares or g.gap(first, second).distance_m == 0


@cases("""shape  is_within
    *((box(1, 1), True), (box(3, 1, 6, 2), True), (box(3, 3, 6, 2), False))
    *((box(3, 3), False), (box(1, 3, 2.001, 2), False), (box(9, 9, 1, 1), False))""")
def test_a_rectangle_is_within_a_room_with_a_notch(shape, is_within):
    assert ground.is_within(shape, NOTCHED) == is_within


TWICE, FLAT = [(0, 0), (0, 0), (1, 1)], [(0, 0), (1, 0), (2, 0)]
CROSSED, PINCHED = [(0, 0), (2, 2), (2, 0), (0, 2)], [(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)]


@cases("""points  words
    [(0, 0), (1, 0)]  "has 2 points"
    *((each, "twice in a row") for each in (TWICE, [(0, 0), (1, 0), (1, 1), (0, 0)]))
    *((each, "touches itself") for each in (CROSSED, FLAT, PINCHED))
    [(0, 0), (2, 0), (2, 2), (2, 1)]  "crosses or touches itself"
    SQUARE.points  ""
    NOTCHED.points  ""
""")
def test_faults_of_an_outline(points, words):
    fault = ground.fault_of_outline(tuple(points))
    assert words in fault and bool(words) == bool(fault)


# A barrier between SQUARE and a line 2 m to its right must reach 1.5 m beyond both corners.
EDGE = ((4.0, -9.0), (4.0, 9.0))
REACH_m = 3.0005  # not on the grid of the points, because rounding would decide


def is_shielded(edge, *barriers, convex=SQUARE):
    part = sight.part_within(convex, edge, REACH_m)
    return part is None or bool(sight.shielding(convex, part, dict(enumerate(barriers)), 1.5))


@cases("""barrier  edge  is_met
    ((3.0, -1.5), (3.0, 3.5))  EDGE  True
    ((3.0, 3.5), (3.0, -1.5))  EDGE  True
    ((3.0, -1.499), (3.0, 3.5))  EDGE  False
    ((3.0, -1.5), (3.0, 3.499))  EDGE  False
    ((4.0, -2.3), (4.0, 4.3))  EDGE  True  # on the line itself
    ((4.0, -2.3), (4.0, 4.2))  EDGE  False  # the line is within reach up to 4.237
    ((4.1, -2.3), (4.1, 4.3))  EDGE  False  # behind the line
    ((-1.0, -1.5), (-1.0, 3.5))  EDGE  False  # on the other side
    ((1.0, -1.5), (1.0, 3.5))  EDGE  False  # through the unit
    ((2.0, -1.5), (2.0, 4.3))  EDGE  True  # touches the unit
    # the edge goes around to the unit's side
    ((3.0, -1.5), (3.0, 3.5))  ((2.5, 1.0), (4.0, 1.0))  False
    # the sight lines cross the barrier
    ((3.0, -1.5), (3.0, 3.5))  ((3.2, 3.6), (3.2, 3.7))  True
    ((3.0, -1.5), (3.0, 3.5))  ((3.2, 3.6), (3.2, 4.4))  False  # that of the far end does not
    ((3.0, -1.5), (3.0, 3.5))  ((3.05, 4.6), (3.05, 4.9))  False""")
def test_a_barrier_shields_an_edge(barrier, edge, is_met):
    assert is_shielded(edge, barrier) == is_shielded(edge[::-1], barrier) == is_met


def test_only_the_part_of_an_edge_within_reach_counts():
    assert sight.part_within(SQUARE, ((9.0, 0.0), (9.0, 1.0)), 3.0) is None
    # 2 m across and 3 m along from both corners
    low, high = sight.part_within(SQUARE, EDGE, math.sqrt(13))
    assert low == pytest.approx((4, -3), abs=1e-9) and high == pytest.approx((4, 5), abs=1e-9)
    assert sight.part_within(SQUARE, ((4.0, 1.0), (4.0, 1.0)), 2.0) == ((4, 1), (4, 1))


def test_two_barriers_shield_an_edge_together():
    right, left, spare = ((-1.5, 3), (6.0, 3)), ((-6.0, 3.2), (3.5, 3.2)), ((-1.5, 3.1), (3.5, 3.1))
    barriers = {"right": right, "left": left, "spare": spare}
    part = ((-4.0, 3.5), (4.6, 3.5))
    assert sight.shielding(SQUARE, part, barriers, 1.5) == ["left", "right"]
    assert sight.shielding(SQUARE, part[::-1], barriers, 1.5) == ["right", "left"]
    assert sight.shielding(SQUARE, part, {"left": barriers["left"]}, 1.5) == []
    assert sight.shielding(SQUARE, ((0.0, 3.5), (1.0, 3.5)), barriers, 1.5) == ["right"]


# barriers above SQUARE, flat or tilted, and edges that pass above it, some far to the side
barriers_above = st.builds(
    lambda left, right, low, rise: ((left / 1000, low / 1000), (right / 1000, (low + rise) / 1000)),
    st.integers(-5000, -1500),
    st.integers(3500, 7000),
    st.integers(2000, 3500),
    st.integers(-300, 600),
)
edges_above = st.tuples(
    *[
        st.tuples(st.integers(-6000, 8000), st.integers(2000, 5000)).map(
            lambda mm: (mm[0] / 1000, mm[1] / 1000)
        )
        for _ in range(2)
    ]
)


@given(
    edges_above,
    st.lists(barriers_above, min_size=1, max_size=2),
    st.floats(0.01, 0.99),
    st.integers(0, 359),
)
@example(((-5.0, 3.1), (8.0, 3.1)), [((-1.5, 3.0), (3.5, 3.0))], 0.7, 0)
@example(((-4.0, 3.5), (4.6, 3.5)), [((-6.0, 3.2), (3.5, 3.2)), ((-1.5, 3.0), (6.0, 3.0))], 0.5, 30)
def test_a_split_edge_has_the_same_verdict(edge, barriers, share, turned_deg):
    def there(*points):
        return moved(g.Shape(points), (0, 0), turned_deg).points

    start, end = there(*edge)
    turned = [there(*each) for each in barriers]
    middle = (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
    whole, *parts = [
        is_shielded(each, *turned, convex=moved(SQUARE, (0, 0), turned_deg))
        for each in ((start, end), (start, middle), (middle, end))
    ]
    assert whole == all(parts) == is_shielded(edge, *barriers)
