//! Times as text.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(micros: u64, text: &str) {
    let at = Timestamp::from(UNIX_EPOCH + Duration::from_micros(micros));
    assert_eq!(at.to_string(), text);
    assert_eq!(text.parse::<Timestamp>().expect(text), at);
}

#[test]
fn times_have_six_decimals_and_a_z() {
    check(0, "1970-01-01T00:00:00.000000Z");
    check(951_782_400_000_001, "2000-02-29T00:00:00.000001Z");
    check(1_795_427_999_999_999, "2026-11-23T09:59:59.999999Z");
    check(253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z");
}

#[test]
fn a_clock_beyond_the_form_is_taken_as_its_end() {
    let before = UNIX_EPOCH.checked_sub(Duration::from_secs(5)).expect("a time before 1970");
    assert_eq!(Timestamp::from(before).to_string(), "1970-01-01T00:00:00.000000Z");
    let after = UNIX_EPOCH + Duration::from_secs(400_000_000_000);
    assert_eq!(Timestamp::from(after).to_string(), "9999-12-31T23:59:59.999999Z");
}

#[test]
fn other_forms_of_rfc_3339_are_read() {
    let at = "2026-11-23T11:00:00+01:00".parse::<Timestamp>().expect("an offset");
    assert_eq!(at.to_string(), "2026-11-23T10:00:00.000000Z");
    for bad in
        ["", "2026-11-23", "2026-11-23T10:00:00", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"]
    {
        assert!(matches!(bad.parse::<Timestamp>(), Err(Error::BadTimestamp)), "{bad}");
    }
}

proptest! {
    #[test]
    fn text_sorts_as_time_does(one in 0..=LATEST, other in 0..=LATEST) {
        let (one, other) = (Timestamp { micros: one }, Timestamp { micros: other });
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        prop_assert_eq!(one.to_string().parse::<Timestamp>().expect("reads back"), one);
    }
}
