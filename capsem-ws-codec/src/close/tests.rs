//! Tables of Close codes and payloads.

use super::*;

#[test]
fn codes_on_the_wire() {
    for code in 0..=u16::MAX {
        let valid = (1000..=1003).contains(&code)
            || (1007..=1014).contains(&code)
            || (3000..=4999).contains(&code);
        assert_eq!(CloseCode::from(code).is_valid_on_wire(), valid, "{code}");
    }
}

#[test]
fn shown_as_its_number() {
    assert_eq!(CloseCode::from(4000).to_string(), "4000");
}

#[test]
fn payloads() {
    #[track_caller]
    fn check(payload: &[u8], expected: Result<(Option<u16>, &str), Error>) {
        let read = CloseFrame::parse(payload);
        assert_eq!(read.map(|close| (close.code.map(u16::from), close.reason)), expected);
    }
    check(b"", Ok((None, "")));
    check(b"\x03", Err(Error::CloseLength));
    check(b"\x03\xe8", Ok((Some(1000), "")));
    check(b"\x0f\xa0gone", Ok((Some(4000), "gone")));
    check(b"\x03\xed", Err(Error::CloseCode { code: 1005 }));
    check(b"\x03\xed\xff", Err(Error::CloseCode { code: 1005 }));
    check(b"\x03\xe8ok\xff", Err(Error::Utf8 { at: 2 }));
    check(b"\x03\xe8\xed\xa0\x80", Err(Error::Utf8 { at: 1 }));
    check(b"\x03\xe8ok\xc3", Err(Error::Utf8Unfinished { len: 3 }));
}
