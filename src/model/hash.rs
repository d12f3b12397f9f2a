//! Hash keys: where they come from.

use md5::{Digest, Md5};

use super::HashKey;

impl HashKey {
    /// The hash key of a partition key: its MD5 as a big-endian number, as the service computes it.
    pub fn of_partition_key(partition_key: &str) -> Self {
        Self(u128::from_be_bytes(Md5::digest(partition_key).into()))
    }

    /// Reads a decimal below 2^128, digits only (API reference, PutRecordsRequestEntry,
    /// `ExplicitHashKey`); `None` for anything else. Leading zeros do no harm.
    pub fn from_decimal(digits: &str) -> Option<Self> {
        // `parse` alone would take a plus sign.
        let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        only_digits.then(|| digits.parse().ok().map(Self))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_partition_key_is_its_md5_as_a_number() {
        for (key, hash) in [
            ("pk1", 329_398_341_438_914_906_102_347_661_116_985_167_824),
            ("a", 16_955_237_001_963_240_173_058_271_559_858_726_497),
            (
                "user-42",
                157_107_139_746_365_290_205_026_809_710_278_036_035,
            ),
            ("é世", 206_116_374_402_339_762_050_219_459_786_325_502_907),
            ("", 281_949_768_489_412_648_962_353_822_266_799_178_366),
        ] {
            assert_eq!(HashKey::of_partition_key(key), HashKey(hash), "{key}");
        }
    }

    #[test]
    fn an_explicit_hash_key_is_a_decimal_of_128_bits() {
        let largest = "340282366920938463463374607431768211455";
        assert_eq!(HashKey::from_decimal("0"), Some(HashKey(0)));
        assert_eq!(HashKey::from_decimal(largest), Some(HashKey(u128::MAX)));
        for text in [
            "",
            "+1",
            "-1",
            "1.0",
            "0x1",
            "340282366920938463463374607431768211456",
        ] {
            assert_eq!(HashKey::from_decimal(text), None, "{text}");
        }
    }
}
