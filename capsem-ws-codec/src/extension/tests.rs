//! Tables of the extension header and of what may answer what.

use super::*;

/// The parameters of the first element of `line`, if it is one we read.
fn params(line: &str) -> Option<Params> {
    elements(line).and_then(|elements| Params::read(elements.first()?))
}

#[test]
fn grammar() {
    #[track_caller]
    fn check(line: &str, expected: Option<&[&str]>) {
        let texts = elements(line).map(|all| all.iter().map(|one| one.text).collect::<Vec<_>>());
        assert_eq!(texts.as_deref(), expected, "{line:?}");
    }
    check("", Some(&[]));
    check(" , ,\t", Some(&[]));
    check("a", Some(&["a"]));
    check(" a ;\tb = c , d", Some(&["a ;\tb = c", "d"]));
    check("a;b;c=1,a", Some(&["a;b;c=1", "a"]));
    check("a; b=\"c\"", Some(&["a; b=\"c\""]));
    check("a; b=\"\\c\\d\"", Some(&["a; b=\"\\c\\d\""]));
    check("a; b=\"c\"d", None);
    check("a; b=\"c d\"", None);
    check("a; b=\"\"", None);
    check("a; b=\"c", None);
    check("a; b=\"c\\", None);
    check("a; b=", None);
    check("a;", None);
    check("a; ;b", None);
    check("a b", None);
    check("=a", None);
    check("a/b", None);
    check("é", None);
}

#[test]
fn offers() {
    #[track_caller]
    fn check(line: &str, expected: Option<(bool, bool, u8, u8)>) {
        let agreed = params(line).map(Params::accept).map(|agreed| {
            (
                agreed.client_no_context_takeover,
                agreed.server_no_context_takeover,
                agreed.client_max_window_bits,
                agreed.server_max_window_bits,
            )
        });
        assert_eq!(agreed, expected, "{line:?}");
    }
    check("permessage-deflate", Some((false, false, 15, 15)));
    check("Permessage-DEFLATE; Client_No_Context_Takeover", Some((true, false, 15, 15)));
    check("permessage-deflate; server_no_context_takeover", Some((false, true, 15, 15)));
    check("permessage-deflate; client_max_window_bits", Some((false, false, 15, 15)));
    check("permessage-deflate; client_max_window_bits=8", Some((false, false, 8, 15)));
    check("permessage-deflate; server_max_window_bits=\"1\\0\"", Some((false, false, 15, 10)));
    for bits in 8..=15 {
        let line = format!("permessage-deflate; server_max_window_bits={bits}");
        check(&line, Some((false, false, 15, bits)));
    }
    for value in ["7", "16", "08", "015", "0", "-9", "+9", "9x", "1e1", "99", "256", "4294967304"] {
        check(&format!("permessage-deflate; server_max_window_bits={value}"), None);
        check(&format!("permessage-deflate; client_max_window_bits={value}"), None);
    }
    check("permessage-deflate; server_max_window_bits", None);
    check("permessage-deflate; client_no_context_takeover=1", None);
    check("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None);
    check("permessage-deflate; client_no_context_takeover; client_no_context_takeover", None);
    check("permessage-deflate; client_max_window_bits; client_max_window_bits=9", None);
    check("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None);
    check("permessage-deflate; unknown", None);
    check("x-webkit-deflate-frame", None);
    check("permessage-deflate2", None);
}

#[test]
fn answers() {
    /// `(client no context, server no context, client bits, server bits)` of what is agreed.
    #[track_caller]
    fn check(offer: &str, answer: &str, expected: Option<(bool, bool, u8, u8)>) {
        let read = |tail: &str| params(&format!("permessage-deflate{tail}")).expect("legal");
        let agreed = read(offer).answered(read(answer)).map(|agreed| {
            (
                agreed.client_no_context_takeover,
                agreed.server_no_context_takeover,
                agreed.client_max_window_bits,
                agreed.server_max_window_bits,
            )
        });
        assert_eq!(agreed, expected, "{answer:?} to {offer:?}");
    }
    check("", "", Some((false, false, 15, 15)));
    check("", "; server_no_context_takeover", Some((false, true, 15, 15)));
    check("", "; client_no_context_takeover", Some((true, false, 15, 15)));
    check("", "; server_max_window_bits=10", Some((false, false, 15, 10)));
    check("", "; client_max_window_bits=10", None);
    check("; client_no_context_takeover", "", Some((false, false, 15, 15)));
    check("; server_no_context_takeover", "", None);
    check("; server_no_context_takeover", "; server_no_context_takeover", {
        Some((false, true, 15, 15))
    });
    check("; client_max_window_bits", "", Some((false, false, 15, 15)));
    check("; client_max_window_bits", "; client_max_window_bits=8", Some((false, false, 8, 15)));
    check("; client_max_window_bits", "; client_max_window_bits", None);
    check("; client_max_window_bits=10", "; client_max_window_bits=10", {
        Some((false, false, 10, 15))
    });
    check("; client_max_window_bits=10", "; client_max_window_bits=11", None);
    check("; client_max_window_bits=10", "", Some((false, false, 15, 15)));
    check("; server_max_window_bits=10", "", None);
    check("; server_max_window_bits=10", "; server_max_window_bits=10", {
        Some((false, false, 15, 10))
    });
    check("; server_max_window_bits=10", "; server_max_window_bits=9", {
        Some((false, false, 15, 9))
    });
    check("; server_max_window_bits=10", "; server_max_window_bits=11", None);
}

#[test]
fn our_own_answer_says_what_was_asked() {
    let all = Deflate {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        client_max_window_bits: 9,
        server_max_window_bits: 8,
    };
    assert_eq!(
        all.answer(&[]),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=8; client_max_window_bits=9"
    );
    assert_eq!(Deflate::default().answer(&[]), "permessage-deflate");
    let asked = params("permessage-deflate; server_max_window_bits=15").expect("legal");
    let answer = Deflate::default().answer(&[asked]);
    assert_eq!(answer, "permessage-deflate; server_max_window_bits=15");
}
