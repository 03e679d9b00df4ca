//! XOR with a four-byte key by hand: eight bytes at a time, with AVX2, and with AVX-512.

#![allow(unsafe_code, reason = "a floor may use what the codec may not")]

/// A way to mask.
pub trait Xor: 'static {
    /// Masks in place.
    fn apply(key: [u8; 4], data: &mut [u8]);
    /// Masks `src` into `dst`, which is as long.
    fn copy(key: [u8; 4], src: &[u8], dst: &mut [u8]);
}

/// Eight bytes at a time; the compiler makes SSE2 of it.
pub struct Scalar;

impl Xor for Scalar {
    #[inline(always)]
    fn apply(key: [u8; 4], data: &mut [u8]) {
        let wide = double(key);
        let (eights, rest) = data.as_chunks_mut::<8>();
        for eight in eights {
            *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
            *byte ^= key;
        }
    }

    #[inline(always)]
    fn copy(key: [u8; 4], src: &[u8], dst: &mut [u8]) {
        let wide = double(key);
        let (eights, rest) = src.as_chunks::<8>();
        let (to, last) = dst.as_chunks_mut::<8>();
        for (to, eight) in to.iter_mut().zip(eights) {
            *to = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
        }
        for ((to, byte), key) in last.iter_mut().zip(rest).zip(wide.to_ne_bytes()) {
            *to = byte ^ key;
        }
    }
}

#[inline(always)]
fn double(key: [u8; 4]) -> u64 {
    u64::from(u32::from_ne_bytes(key)) * 0x1_0000_0001
}

/// 32 bytes at a time. Asked of [`has_wide`] before the first use.
pub struct Wide;

/// Whether this machine has AVX2.
pub fn has_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Below this many bytes the call costs more than it saves.
const WORTH: usize = 256;

/// From this many bytes on it pays to begin at a cache line: no access is in two of them then.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 4096;

/// Masks up to where a cache line begins; the key as it stands there, and what is left.
#[cfg(target_arch = "x86_64")]
fn to_line(key: [u8; 4], data: &mut [u8]) -> ([u8; 4], &mut [u8]) {
    if data.len() < LONG {
        return (key, data);
    }
    let before = data.as_ptr().align_offset(64).min(data.len());
    let (head, rest) = data.split_at_mut(before);
    Scalar::apply(key, head);
    let mut turned = key;
    turned.rotate_left(before % 4);
    (turned, rest)
}

impl Xor for Wide {
    #[inline(always)]
    fn apply(key: [u8; 4], data: &mut [u8]) {
        match data.len() {
            ..WORTH => Scalar::apply(key, data),
            // SAFETY: `has_wide` was asked before the first use.
            #[cfg(target_arch = "x86_64")]
            _ => unsafe { avx2::apply(key, data) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => Scalar::apply(key, data),
        }
    }

    #[inline(always)]
    fn copy(key: [u8; 4], src: &[u8], dst: &mut [u8]) {
        match src.len() {
            ..WORTH => Scalar::copy(key, src, dst),
            // SAFETY: `has_wide` was asked before the first use.
            #[cfg(target_arch = "x86_64")]
            _ => unsafe { avx2::copy(key, src, dst) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => Scalar::copy(key, src, dst),
        }
    }
}

/// 64 bytes at a time. Asked of [`has_widest`] before the first use.
pub struct Widest;

/// Whether this machine has AVX-512.
pub fn has_widest() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512f") && has_wide();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Xor for Widest {
    #[inline(always)]
    fn apply(key: [u8; 4], data: &mut [u8]) {
        match data.len() {
            ..WORTH => Scalar::apply(key, data),
            // SAFETY: `has_widest` was asked before the first use.
            #[cfg(target_arch = "x86_64")]
            _ => unsafe { avx512::apply(key, data) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => Scalar::apply(key, data),
        }
    }

    #[inline(always)]
    fn copy(key: [u8; 4], src: &[u8], dst: &mut [u8]) {
        Wide::copy(key, src, dst);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
    };

    use super::{Scalar, Xor, to_line};

    #[target_feature(enable = "avx512f")]
    pub(super) fn apply(key: [u8; 4], data: &mut [u8]) {
        let (key, data) = to_line(key, data);
        let keys = _mm512_set1_epi32(i32::from_ne_bytes(key));
        let (parts, rest) = data.as_chunks_mut::<64>();
        for part in parts {
            let at = part.as_mut_ptr().cast();
            // SAFETY: `part` is 64 bytes, and these two need no alignment.
            unsafe { _mm512_storeu_si512(at, _mm512_xor_si512(_mm512_loadu_si512(at), keys)) };
        }
        Scalar::apply(key, rest);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm256_set1_epi32, _mm256_storeu_si256, _mm256_xor_si256,
    };

    use super::{Scalar, Xor, to_line};

    /// Bytes of one step: four registers.
    const STEP: usize = 128;

    #[target_feature(enable = "avx2")]
    pub(super) fn apply(key: [u8; 4], data: &mut [u8]) {
        let (key, data) = to_line(key, data);
        let keys = _mm256_set1_epi32(i32::from_ne_bytes(key));
        let (steps, rest) = data.as_chunks_mut::<STEP>();
        for step in steps {
            for part in step.as_chunks_mut::<32>().0 {
                let at = part.as_mut_ptr().cast();
                // SAFETY: `part` is 32 bytes, and these two need no alignment.
                unsafe { _mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), keys)) };
            }
        }
        let (parts, rest) = rest.as_chunks_mut::<32>();
        for part in parts {
            let at = part.as_mut_ptr().cast();
            // SAFETY: `part` is 32 bytes, and these two need no alignment.
            unsafe { _mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), keys)) };
        }
        Scalar::apply(key, rest);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn copy(key: [u8; 4], src: &[u8], dst: &mut [u8]) {
        let keys = _mm256_set1_epi32(i32::from_ne_bytes(key));
        let (from, rest) = src.as_chunks::<32>();
        let (to, last) = dst.as_chunks_mut::<32>();
        for (to, from) in to.iter_mut().zip(from) {
            // SAFETY: both are 32 bytes, and these two need no alignment.
            unsafe {
                let bytes = _mm256_loadu_si256(from.as_ptr().cast());
                _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_xor_si256(bytes, keys));
            }
        }
        Scalar::copy(key, rest, last);
    }
}
