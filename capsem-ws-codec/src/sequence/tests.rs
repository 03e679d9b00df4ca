//! The order of frames and the limits over a message, each exact.

use super::*;

const LIMITS: Limits = Limits { frame: 10, message: 15, fragments: 3, inflate: 0, capture: 0 };

/// Tells a sequence of heads, each `(fin, opcode, len)`; the last one meets `expected`.
#[track_caller]
fn check(heads: &[(bool, Opcode, u64)], expected: Result<(), Error>) {
    let mut sequence = Sequence::Between;
    for (at, &(fin, opcode, len)) in heads.iter().enumerate() {
        let next = Next(sequence, &LIMITS);
        let judged = next.first(opcode).and_then(|()| next.length(opcode, len));
        let last = at + 1 == heads.len();
        assert_eq!(judged, if last { expected } else { Ok(()) }, "head {at}");
        sequence.advance(&FrameHead { fin, rsv1: false, opcode, mask: None, len });
    }
}

use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};

#[test]
fn order() {
    check(&[(true, Text, 1), (true, Binary, 1)], Ok(()));
    check(&[(false, Text, 1), (false, Continuation, 1), (true, Continuation, 1)], Ok(()));
    check(&[(false, Text, 1), (true, Ping, 1), (true, Pong, 1), (true, Continuation, 0)], Ok(()));
    check(&[(false, Text, 1), (true, Close, 0)], Ok(()));
    check(&[(true, Continuation, 1)], Err(Error::ContinuationOrphan));
    check(&[(false, Continuation, 1)], Err(Error::ContinuationOrphan));
    check(&[(true, Text, 1), (true, Continuation, 1)], Err(Error::ContinuationOrphan));
    check(
        &[(false, Text, 1), (true, Continuation, 1), (true, Continuation, 1)],
        Err(Error::ContinuationOrphan),
    );
    for opcode in [Text, Binary] {
        let error = Error::MessageInterleaved { opcode };
        check(&[(false, Text, 1), (true, opcode, 1)], Err(error));
        check(&[(false, Text, 1), (true, Ping, 1), (false, opcode, 1)], Err(error));
    }
}

#[test]
fn limits() {
    check(&[(true, Text, 10)], Ok(()));
    check(&[(true, Text, 11)], Err(Error::FrameLimit { len: 11, limit: 10 }));
    check(&[(true, Text, u64::MAX)], Err(Error::FrameLimit { len: u64::MAX, limit: 10 }));
    check(&[(true, Ping, 125)], Ok(()));

    check(&[(false, Text, 10), (true, Continuation, 5)], Ok(()));
    check(&[(false, Text, 10), (true, Continuation, 6)], Err(Error::MessageLimit { limit: 15 }));
    check(&[(true, Text, 10), (true, Text, 10)], Ok(()));

    let two = [(false, Text, 0), (false, Continuation, 0)];
    check(&[&two[..], &[(true, Continuation, 0)]].concat(), Ok(()));
    check(&[&two[..], &[(false, Continuation, 0), (true, Ping, 0)]].concat(), Ok(()));
    check(
        &[&two[..], &[(false, Continuation, 0), (true, Continuation, 0)]].concat(),
        Err(Error::FragmentLimit { limit: 3 }),
    );
}

#[test]
fn sums_do_not_wrap() {
    let limits = Limits { frame: u64::MAX, message: u64::MAX - 1, ..LIMITS };
    let within = Sequence::Within { len: u64::MAX - 1, fragments: 1 };
    let next = Next(within, &limits);
    assert_eq!(next.length(Continuation, 0), Ok(()));
    let error = Error::MessageLimit { limit: u64::MAX - 1 };
    assert_eq!(next.length(Continuation, u64::MAX >> 1), Err(error));
}
