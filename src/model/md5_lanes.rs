//! MD5 of several messages at once (RFC 1321).
//!
//! Partition keys are mapped to shards by their MD5, and aggregated records end with one. A step of MD5 needs the
//! result of the step before, so one message leaves most of a core idle. Four messages take about as long as
//! one and a half: each variable is an array with one value per message, which the compiler keeps in a vector register.

use md5::{Digest, Md5};

/// The messages that are hashed at once.
const LANES: usize = 4;

/// One value per message.
type Lanes = [u32; LANES];

const BLOCK_BYTES: usize = 64;

/// The length in bits, at the end of the last block.
const LENGTH_BYTES: usize = 8;

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Calls `take` with the digest of each message, in order.
pub(crate) fn md5_of_each<'a>(
    messages: impl IntoIterator<Item = &'a [u8]>,
    mut take: impl FnMut([u8; 16]),
) {
    let mut messages = messages.into_iter();
    loop {
        let chunk: [Option<&[u8]>; LANES] = std::array::from_fn(|_| messages.next());
        if let [Some(message), None, ..] = chunk {
            // Alone, a message would take longer than one after the other.
            return take(Md5::digest(message).into());
        }
        let digests = digests(chunk.map(Option::unwrap_or_default));
        for (message, digest) in chunk.iter().zip(digests) {
            match message {
                Some(_) => take(digest),
                None => return,
            }
        }
    }
}

fn digests(messages: [&[u8]; LANES]) -> [[u8; 16]; LANES] {
    let blocks = messages.map(|message| (message.len() + LENGTH_BYTES) / BLOCK_BYTES + 1);
    let mut state = START.map(|word| [word; LANES]);
    for index in 0..blocks.into_iter().max().unwrap_or_default() {
        let mut words = [[0; LANES]; 16];
        for (lane, message) in messages.into_iter().enumerate() {
            load(message, index, lane, &mut words);
        }
        let after = compress(&state, &words);
        for lane in 0..LANES {
            // A shorter message keeps its digest.
            if index < blocks[lane] {
                for (word, after) in state.iter_mut().zip(after) {
                    word[lane] = after[lane];
                }
            }
        }
    }
    std::array::from_fn(|lane| {
        let mut digest = [0; 16];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word[lane].to_le_bytes());
        }
        digest
    })
}

/// Loads a block of a message, which is followed by the padding: a bit, zeros, and its length.
fn load(message: &[u8], index: usize, lane: usize, words: &mut [Lanes; 16]) {
    let rest = message.get(index * BLOCK_BYTES..).unwrap_or_default();
    let mut padded = [0; BLOCK_BYTES];
    let block = match rest.first_chunk() {
        Some(whole) => whole,
        None => {
            padded[..rest.len()].copy_from_slice(rest);
            if index * BLOCK_BYTES <= message.len() {
                padded[rest.len()] = 0x80;
            }
            if rest.len() < BLOCK_BYTES - LENGTH_BYTES {
                let bits = (message.len() as u64).wrapping_mul(8);
                padded[BLOCK_BYTES - LENGTH_BYTES..].copy_from_slice(&bits.to_le_bytes());
            }
            &padded
        }
    };
    let (bytes, _) = block.as_chunks();
    for (word, bytes) in words.iter_mut().zip(bytes) {
        word[lane] = u32::from_le_bytes(*bytes);
    }
}

/// One step: `a` becomes `b` plus the rotated sum of the others.
#[inline(always)]
fn step<const ROTATION: u32>(
    [a, b, c, d]: [&Lanes; 4],
    word: &Lanes,
    constant: u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) -> Lanes {
    let mixed: Lanes = std::array::from_fn(|lane| mix(b[lane], c[lane], d[lane]));
    std::array::from_fn(|lane| {
        let sum = a[lane]
            .wrapping_add(mixed[lane])
            .wrapping_add(constant)
            .wrapping_add(word[lane]);
        b[lane].wrapping_add(sum.rotate_left(ROTATION))
    })
}

/// The state after a block of each message. The steps of a round differ in the word, the constant and the rotation.
///
/// Inlined, it would not be compiled to vector instructions: measure before that is changed.
#[inline(never)]
fn compress(state: &[Lanes; 4], words: &[Lanes; 16]) -> [Lanes; 4] {
    let [mut a, mut b, mut c, mut d] = *state;
    macro_rules! round {
        ($mix:expr, [$r0:literal, $r1:literal, $r2:literal, $r3:literal], $($w0:literal $k0:literal $w1:literal $k1:literal $w2:literal $k2:literal $w3:literal $k3:literal),+) => {
            $(
                a = step::<$r0>([&a, &b, &c, &d], &words[$w0], $k0, $mix);
                d = step::<$r1>([&d, &a, &b, &c], &words[$w1], $k1, $mix);
                c = step::<$r2>([&c, &d, &a, &b], &words[$w2], $k2, $mix);
                b = step::<$r3>([&b, &c, &d, &a], &words[$w3], $k3, $mix);
            )+
        };
    }
    round!(
        |x, y, z| z ^ (x & (y ^ z)),
        [7, 12, 17, 22],
        0 0xd76a_a478 1 0xe8c7_b756 2 0x2420_70db 3 0xc1bd_ceee,
        4 0xf57c_0faf 5 0x4787_c62a 6 0xa830_4613 7 0xfd46_9501,
        8 0x6980_98d8 9 0x8b44_f7af 10 0xffff_5bb1 11 0x895c_d7be,
        12 0x6b90_1122 13 0xfd98_7193 14 0xa679_438e 15 0x49b4_0821
    );
    round!(
        |x, y, z| (x & z) | (y & !z),
        [5, 9, 14, 20],
        1 0xf61e_2562 6 0xc040_b340 11 0x265e_5a51 0 0xe9b6_c7aa,
        5 0xd62f_105d 10 0x0244_1453 15 0xd8a1_e681 4 0xe7d3_fbc8,
        9 0x21e1_cde6 14 0xc337_07d6 3 0xf4d5_0d87 8 0x455a_14ed,
        13 0xa9e3_e905 2 0xfcef_a3f8 7 0x676f_02d9 12 0x8d2a_4c8a
    );
    round!(
        |x, y, z| x ^ y ^ z,
        [4, 11, 16, 23],
        5 0xfffa_3942 8 0x8771_f681 11 0x6d9d_6122 14 0xfde5_380c,
        1 0xa4be_ea44 4 0x4bde_cfa9 7 0xf6bb_4b60 10 0xbebf_bc70,
        13 0x289b_7ec6 0 0xeaa1_27fa 3 0xd4ef_3085 6 0x0488_1d05,
        9 0xd9d4_d039 12 0xe6db_99e5 15 0x1fa2_7cf8 2 0xc4ac_5665
    );
    round!(
        |x, y, z| y ^ (x | !z),
        [6, 10, 15, 21],
        0 0xf429_2244 7 0x432a_ff97 14 0xab94_23a7 5 0xfc93_a039,
        12 0x655b_59c3 3 0x8f0c_cc92 10 0xffef_f47d 1 0x8584_5dd1,
        8 0x6fa8_7e4f 15 0xfe2c_e6e0 6 0xa301_4314 13 0x4e08_11a1,
        4 0xf753_7e82 11 0xbd3a_f235 2 0x2ad7_d2bb 9 0xeb86_d391
    );
    let add = |before: Lanes, after: Lanes| {
        std::array::from_fn(|lane| before[lane].wrapping_add(after[lane]))
    };
    let [a0, b0, c0, d0] = *state;
    [add(a0, a), add(b0, b), add(c0, c), add(d0, d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests_of(messages: &[Vec<u8>]) -> Vec<[u8; 16]> {
        let mut digests = Vec::new();
        md5_of_each(messages.iter().map(Vec::as_slice), |digest| {
            digests.push(digest)
        });
        digests
    }

    #[test]
    fn digests_are_those_of_another_implementation() {
        let mut random = fastrand::Rng::with_seed(7);
        let lengths = (0..200).chain([1_000, 4_096, 51_200, 0, 100_000]);
        let mut messages: Vec<Vec<u8>> = lengths
            .map(|length| (0..length).map(|_| random.u8(..)).collect())
            .collect();
        for _ in 0..3 {
            let expected = messages.iter().map(|message| Md5::digest(message).into());
            let expected: Vec<[u8; 16]> = expected.collect();
            assert_eq!(digests_of(&messages), expected);
            random.shuffle(&mut messages);
        }
    }

    #[test]
    fn each_message_has_a_digest() {
        for count in 0..=2 * LANES + 1 {
            let messages: Vec<Vec<u8>> = (0..count).map(|n| vec![b'x'; n]).collect();
            assert_eq!(digests_of(&messages).len(), count);
        }
    }
}
