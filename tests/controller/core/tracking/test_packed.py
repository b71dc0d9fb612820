"""All products in one integer are those of a loop over each of them."""

from array import array

from hypothesis import example, given, strategies as st

from controller.core.tracking.packed import Products

MOST_W = (1 << 30) - 1  # of a meter
POWERS = st.integers(-MOST_W, MOST_W) | st.integers(-3, 3)


def one_by_one(means, powers_W, bits):
    changes = [newer - older for newer, older in zip(powers_W, powers_W[1:])]
    return [mean + ((changes[0] * change - mean) >> bits) for mean, change in zip(means, changes)]


@given(st.lists(POWERS, min_size=3, max_size=9), st.integers(1, 12), st.integers(1, 9))
@example([-MOST_W, MOST_W, -MOST_W, MOST_W], 9, 9)
def test_each_mean_is_that_of_a_loop(powers_W, bits, turns):
    count = len(powers_W) - 1
    products, means = Products(count, bits), array("q", [0] * count)
    for _ in range(turns):
        wanted = one_by_one(means, powers_W, bits)
        means = products.moved(means, array("i", powers_W))
        assert list(means) == wanted
        powers_W = [*powers_W[1:], powers_W[0]]
