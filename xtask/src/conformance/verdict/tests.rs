//! What may pass and what may not.

use serde_json::json;

use super::{Verdict, all};
use crate::conformance::arrangement::Arrangement;
use crate::conformance::cases::Case;
use crate::conformance::suite::Report;

/// A case that may be not strict through the proxy, and not without it.
const RACE: &str = "3.2";

#[track_caller]
fn check(
    (arrangement, case): (Arrangement, &str),
    (behavior, closing): (&str, &str),
    verdict: Verdict,
    passed: bool,
) {
    let reported = json!({"behavior": behavior, "behaviorClose": closing, "remoteCloseCode": 1002,
        "duration": 3, "reportfile": "file.json"});
    let report: Report =
        serde_json::from_value(json!({arrangement.word(): {case: reported}})).expect("a report");
    let judged = all(arrangement, &[Case::from(case)], &report);
    assert_eq!((judged[0].verdict, judged[0].passed), (verdict, passed), "{judged:?}");
}

#[test]
fn verdicts_are_judged() {
    let (plain, race) = ((Arrangement::ProxyServer, "1.1.1"), (Arrangement::ProxyServer, RACE));
    check(plain, ("OK", "OK"), Verdict::Ok, true);
    check(plain, ("INFORMATIONAL", "INFORMATIONAL"), Verdict::Informational, true);
    check(plain, ("NON-STRICT", "OK"), Verdict::NonStrict, false);
    check(plain, ("UNIMPLEMENTED", "OK"), Verdict::Unimplemented, false);
    check(plain, ("FAILED", "OK"), Verdict::Failed, false);
    check(plain, ("OK", "WRONG CODE"), Verdict::Failed, false);
    check(plain, ("OK", "UNCLEAN"), Verdict::Failed, false);
    check(plain, ("OK", "FAILED BY CLIENT"), Verdict::Failed, false);
    check(plain, ("a word of a later suite", "OK"), Verdict::Failed, false);
    check(race, ("NON-STRICT", "OK"), Verdict::NonStrict, true);
    check(race, ("OK", "OK"), Verdict::Ok, true);
    check(race, ("FAILED", "OK"), Verdict::Failed, false);
    check(race, ("NON-STRICT", "UNCLEAN"), Verdict::Failed, false);
    check((Arrangement::CodecServer, RACE), ("NON-STRICT", "OK"), Verdict::NonStrict, false);
}

#[test]
fn a_case_without_a_result_is_missing() {
    let judged = all(Arrangement::CodecClient, &[Case::from("1.1.1")], &Report::new());
    assert_eq!((judged[0].verdict, judged[0].passed), (Verdict::Missing, false));
}
