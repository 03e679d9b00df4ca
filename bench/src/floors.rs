//! Hand-written floors: the least that must be done in each case, and nothing else.
//!
//! They know what they will be given and are wrong for anything else. Refuses to use the codec.

mod decode;
mod encode;
mod head;
mod inflate;
mod xor;

use crate::case::{Bench, Case};
use crate::plain::{Masks, Texts};
use crate::stream::Stream;
use crate::subject::{Entry, Kind};

use decode::{Copied, Heads, InPlace};
use encode::{Apart, Joined};
use xor::{Scalar, Wide, Widest, Xor as _};

/// The floors of `case`, and what else is worth knowing beside them.
pub fn entries(case: Case, stream: &Stream) -> Vec<Entry> {
    let mut entries = match (case.bench, case.masked) {
        (Bench::Head, true) => vec![floor("floor: head walk", Heads::<true>::new(stream))],
        (Bench::Head, false) => vec![floor("floor: head walk", Heads::<false>::new(stream))],
        (Bench::Decode, true) => vec![
            floor("floor: walk + XOR u64", InPlace::<Scalar, true>::new(stream)),
            known("known: read copy + XOR u64", Copied::<Scalar, true>::new(stream)),
        ],
        (Bench::Decode, false) => vec![
            floor("floor: walk", InPlace::<Scalar, false>::new(stream)),
            known("known: read copy", Copied::<Scalar, false>::new(stream)),
        ],
        (Bench::DecodeText, true) => vec![
            floor("floor: walk + XOR u64 + UTF-8", InPlace::<Scalar, true>::new(stream)),
            known("known: read copy + XOR u64 + UTF-8", Copied::<Scalar, true>::new(stream)),
        ],
        (Bench::DecodeText, false) => vec![
            floor("floor: walk + UTF-8", InPlace::<Scalar, false>::new(stream)),
            known("known: read copy + UTF-8", Copied::<Scalar, false>::new(stream)),
        ],
        (Bench::Encode, true) => vec![
            floor("floor: head + XOR u64", Joined::<Scalar, true>::new(stream)),
            known("known: head, XOR u64 in place", Apart::<Scalar, true>::new(stream)),
        ],
        (Bench::Encode, false) => vec![
            floor("floor: head only", Apart::<Scalar, false>::new(stream)),
            known("known: head + memcpy", Joined::<Scalar, false>::new(stream)),
        ],
        (Bench::Mask, _) => vec![floor("floor: XOR u64", Masks::new(stream, Scalar::apply))],
        (Bench::Utf8, _) => vec![
            floor("floor: UTF-8", Texts::new(stream, decode::is_utf8)),
            known(
                "known: simdutf8",
                Texts::new(stream, |text| simdutf8::basic::from_utf8(text).is_ok()),
            ),
            known(
                "known: std from_utf8",
                Texts::new(stream, |text| std::str::from_utf8(text).is_ok()),
            ),
        ],
        (Bench::Inflate, _) => vec![
            floor("floor: zlib-rs, a call a message", inflate::ByMessage::new(stream)),
            known("known: zlib-rs, one call for all", inflate::AtOnce::new(stream)),
        ],
    };
    if xor::has_wide() {
        entries.extend(wide(case, stream));
    }
    if xor::has_widest() && case.masked {
        match case.bench {
            Bench::Decode => entries
                .push(known("known: walk + XOR AVX-512", InPlace::<Widest, true>::new(stream))),
            Bench::Mask => {
                entries.push(known("known: XOR AVX-512", Masks::new(stream, Widest::apply)));
            }
            _ => {}
        }
    }
    if matches!(case.bench, Bench::Decode | Bench::Mask) {
        entries.push(known("known: memcpy of the payload", encode::Memcpy::new(stream)));
    }
    entries
}

/// The same with AVX2.
fn wide(case: Case, stream: &Stream) -> Vec<Entry> {
    match (case.bench, case.masked) {
        (Bench::Decode, true) => vec![
            floor("floor: walk + XOR AVX2", InPlace::<Wide, true>::new(stream)),
            known("known: read copy + XOR AVX2", Copied::<Wide, true>::new(stream)),
        ],
        (Bench::DecodeText, true) => vec![
            floor("floor: walk + XOR AVX2 + UTF-8", InPlace::<Wide, true>::new(stream)),
            known("known: read copy + XOR AVX2 + UTF-8", Copied::<Wide, true>::new(stream)),
        ],
        (Bench::Encode, true) => vec![
            floor("floor: head + XOR AVX2", Joined::<Wide, true>::new(stream)),
            known("known: head, XOR AVX2 in place", Apart::<Wide, true>::new(stream)),
        ],
        (Bench::Mask, _) => vec![floor("floor: XOR AVX2", Masks::new(stream, Wide::apply))],
        _ => Vec::new(),
    }
}

fn floor(name: &'static str, subject: impl crate::subject::Subject + 'static) -> Entry {
    Entry::new(name, Kind::Floor, subject)
}

fn known(name: &'static str, subject: impl crate::subject::Subject + 'static) -> Entry {
    Entry::new(name, Kind::Known, subject)
}
