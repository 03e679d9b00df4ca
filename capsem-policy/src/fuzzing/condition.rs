//! Conditions: reading is total and bounded, and what is asked obeys the laws of logic.

use super::facts;
use crate::{
    Direction, Facts,
    condition::{Condition, Dialect, limits},
    rule::Reach,
};

/// Three bytes of facts, then one condition or two, a zero byte between them.
pub fn condition(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<3>() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let facts = facts(*head);
    let (first, second) = text.split_once('\0').unwrap_or((text, "has(http.query)"));
    read(first, Dialect::Capsem);
    if let (Some(a), Some(b)) = (read(first, Dialect::Cel), read(second, Dialect::Cel)) {
        foretold(&a, &facts);
        laws([first, second], [&a, &b], &facts);
    }
}

fn read(text: &str, dialect: Dialect) -> Option<Condition> {
    match Condition::parse(text, dialect) {
        Ok(condition) => {
            assert!(text.len() <= limits::LENGTH);
            Some(condition)
        }
        Err((at, fault)) => {
            assert!(text.is_char_boundary(at), "{at} in {text:?}");
            assert!(!fault.to_string().contains('\n'), "{fault}");
            None
        }
    }
}

/// What is said of all messages holds of each.
fn foretold(condition: &Condition, facts: &Facts<'_>) {
    let Some(message) = facts.message else { return };
    let (foretold, holds) = (condition.reach(facts, message.direction), condition.holds(facts));
    match foretold {
        Reach::Always => assert!(holds),
        Reach::Never => assert!(!holds),
        Reach::Maybe => {}
    }
    condition.reach(facts, Direction::ToClient);
    condition.keys();
}

/// Each law is skipped where writing it goes over a limit.
fn laws([a, b]: [&str; 2], [first, second]: [&Condition; 2], facts: &Facts<'_>) {
    let (x, y) = (first.holds(facts), second.holds(facts));
    // A comment runs to the end of its line.
    let ask = |text: String| Condition::parse(&text, Dialect::Cel).ok().map(|it| it.holds(facts));
    let both = ask(format!("({a}\n) && ({b}\n)"));
    assert!(both.is_none_or(|both| both == (x && y)));
    assert_eq!(both.is_some(), ask(format!("({b}\n) && ({a}\n)")).is_some());
    assert!(ask(format!("({a}\n) || ({b}\n)")).is_none_or(|either| either == (x || y)));
    assert!(ask(format!("!!({a}\n)")).is_none_or(|twice| twice == x));
    assert!(ask(format!("({a}\n) ? true : false")).is_none_or(|same| same == x));
    assert!(!(x && ask(format!("!({a}\n)")) == Some(true)), "both {a:?} and its opposite");
    let (opposite, is_false) = (ask(format!("!({a}\n)")), ask(format!("({a}\n) == false")));
    assert!(opposite.is_none() || is_false.is_none() || opposite == is_false, "{a:?}");
    let union = ask(format!("!(!({a}\n) || !({b}\n))"));
    assert!(union.is_none_or(|union| union == (x && y)));
}
