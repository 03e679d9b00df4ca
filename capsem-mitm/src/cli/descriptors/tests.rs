//! How many connections go into how many descriptors.

use super::room;

#[test]
fn connections_by_descriptors() {
    for (descriptors, connections) in
        [(0, 1), (64, 1), (66, 1), (68, 2), (256, 96), (1024, 480), (20_000, 9968)]
    {
        assert_eq!(room(descriptors), connections, "{descriptors}");
    }
}
