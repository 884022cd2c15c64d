//! SHA-256's compression by the processor's own instructions, if it has them: the same as the
//! portable code in `sha256.rs`, which is the one to read, in a fifth of the time. It is for
//! passwords, since a check takes many hashes.

/// Hashes one block into the state; false if this processor cannot, and nothing was done.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[allow(unsafe_code, reason = "the processor's instructions are called where they are there")]
pub fn compress(state: &mut [u32; 8], block: &[u32; 16]) -> bool {
    let is_able = own::is_able();
    if is_able {
        // SAFETY: the processor has every instruction that the function may use.
        unsafe { own::compress(state, block) };
    }
    is_able
}

/// This program knows no instructions of other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn compress(_: &mut [u32; 8], _: &[u32; 16]) -> bool {
    false
}

/// For x86-64: two rounds an instruction, with the state as the words A, B, E, F and C, D, G, H.
#[cfg(target_arch = "x86_64")]
mod own {
    use super::super::sha256::ROUND;
    use std::arch::x86_64::*;

    /// Asks the processor once, and remembers the answer.
    pub fn is_able() -> bool {
        std::is_x86_feature_detected!("sha") && std::is_x86_feature_detected!("sse4.1")
    }

    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    pub fn compress(state: &mut [u32; 8], block: &[u32; 16]) {
        let [a, b, c, d, e, f, g, h] = *state;
        let before = [vector([f, e, b, a]), vector([h, g, d, c])];
        let [mut abef, mut cdgh] = before;
        let mut words = [0, 4, 8, 12].map(|at| four(block, at));
        for t in (0..64).step_by(4) {
            let [oldest, next, third, newest] = words;
            let sums = _mm_add_epi32(oldest, four(&ROUND, t));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sums);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0b1110>(sums));
            // The four words of the schedule that come 16 after those just used.
            let sums = _mm_sha256msg1_epu32(oldest, next);
            let sums = _mm_add_epi32(sums, _mm_alignr_epi8::<4>(newest, third));
            words = [next, third, newest, _mm_sha256msg2_epu32(sums, newest)];
        }
        let [f, e, b, a] = lanes(_mm_add_epi32(abef, before[0]));
        let [h, g, d, c] = lanes(_mm_add_epi32(cdgh, before[1]));
        *state = [a, b, c, d, e, f, g, h];
    }

    /// Four words as a vector, the first in its lowest lane.
    #[target_feature(enable = "sse2")]
    fn vector([first, second, third, fourth]: [u32; 4]) -> __m128i {
        _mm_set_epi32(fourth as i32, third as i32, second as i32, first as i32)
    }

    #[target_feature(enable = "sse2")]
    fn four(words: &[u32], at: usize) -> __m128i {
        vector([words[at], words[at + 1], words[at + 2], words[at + 3]])
    }

    #[target_feature(enable = "sse4.1")]
    fn lanes(vector: __m128i) -> [u32; 4] {
        [
            _mm_extract_epi32::<0>(vector) as u32,
            _mm_extract_epi32::<1>(vector) as u32,
            _mm_extract_epi32::<2>(vector) as u32,
            _mm_extract_epi32::<3>(vector) as u32,
        ]
    }
}

/// For AArch64: four rounds in two instructions, with the words of the state in order.
#[cfg(target_arch = "aarch64")]
mod own {
    use super::super::sha256::ROUND;
    use std::arch::aarch64::*;

    /// Asks the processor once, and remembers the answer.
    pub fn is_able() -> bool {
        std::arch::is_aarch64_feature_detected!("sha2")
    }

    #[target_feature(enable = "neon,sha2")]
    pub fn compress(state: &mut [u32; 8], block: &[u32; 16]) {
        let before = [four(state, 0), four(state, 4)];
        let [mut abcd, mut efgh] = before;
        let mut words = [0, 4, 8, 12].map(|at| four(block, at));
        for t in (0..64).step_by(4) {
            let [oldest, next, third, newest] = words;
            let sums = vaddq_u32(oldest, four(&ROUND, t));
            let old = abcd;
            abcd = vsha256hq_u32(abcd, efgh, sums);
            efgh = vsha256h2q_u32(efgh, old, sums);
            // The four words of the schedule that come 16 after those just used.
            let sums = vsha256su0q_u32(oldest, next);
            words = [next, third, newest, vsha256su1q_u32(sums, third, newest)];
        }
        let [a, b, c, d] = lanes(vaddq_u32(abcd, before[0]));
        let [e, f, g, h] = lanes(vaddq_u32(efgh, before[1]));
        *state = [a, b, c, d, e, f, g, h];
    }

    #[target_feature(enable = "neon")]
    fn four(words: &[u32], at: usize) -> uint32x4_t {
        let vector = vdupq_n_u32(words[at]);
        let vector = vsetq_lane_u32::<1>(words[at + 1], vector);
        let vector = vsetq_lane_u32::<2>(words[at + 2], vector);
        vsetq_lane_u32::<3>(words[at + 3], vector)
    }

    #[target_feature(enable = "neon")]
    fn lanes(vector: uint32x4_t) -> [u32; 4] {
        [
            vgetq_lane_u32::<0>(vector),
            vgetq_lane_u32::<1>(vector),
            vgetq_lane_u32::<2>(vector),
            vgetq_lane_u32::<3>(vector),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::sha256::compress_portably;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_portable_code(state: [u32; 8], block: [u32; 16]) {
            let mut portable = state;
            compress_portably(&mut portable, &block);
            let mut own = state;
            if compress(&mut own, &block) {
                prop_assert_eq!(own, portable);
            } else {
                prop_assert_eq!(own, state);
            }
        }
    }
}
