//! Ids: their form and that none comes twice.

use std::collections::HashSet;
use std::thread;

use super::*;

#[test]
fn no_id_comes_twice_on_any_thread() {
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| (0..5000).map(|_| Id::fresh()).collect::<Vec<_>>()))
        .collect();
    let ids: HashSet<Id> =
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect();
    assert_eq!(ids.len(), 20_000);
    assert!(ids.iter().all(|id| id.to_string().parse::<Id>().is_ok_and(|same| same == *id)));
}

#[test]
fn only_twelve_lower_case_digits_are_an_id() {
    assert_eq!("0123456789ab".parse::<Id>().expect("an id").to_string(), "0123456789ab");
    for bad in
        ["", "0", "0123456789a", "0123456789abc", "0123456789AB", "+123456789ab", "é23456789ab"]
    {
        assert!(matches!(bad.parse::<Id>(), Err(Error::BadId)), "{bad}");
    }
    assert!(serde_json::from_str::<Id>("12").is_err());
}
