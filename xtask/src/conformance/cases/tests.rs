//! Numbers and the quick part.

use super::Case;

#[track_caller]
fn check(name: &str, section: u8, quick: bool) {
    let case = Case::from(name);
    assert_eq!((case.section(), case.is_quick()), (section, quick), "{name}");
}

#[test]
fn the_quick_part_leaves_the_long_cases_out() {
    check("1.1.1", 1, true);
    check("5.20", 5, true);
    check("6.22.34", 6, true);
    check("9.1.2", 9, true);
    check("9.1.6", 9, false);
    check("9.4.1", 9, false);
    check("10.1.1", 10, true);
    check("12.1.1", 12, true);
    check("12.1.10", 12, false);
    check("13.7.11", 13, true);
    check("13.7.18", 13, false);
}
