//! Target `relay`; its body and what it asserts are in the crate.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| capsem_mitm::fuzzing::relay(data));
