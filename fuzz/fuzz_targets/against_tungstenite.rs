//! Target `against_tungstenite`; its body and what it asserts are in this workspace's library.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    capsem_fuzz::against_tungstenite(data);
});
