use std::io::Write;

use super::*;

const LIMIT: usize = 1 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).unwrap()
}

fn read(record: &[u8], compression: Compression) -> Result<Vec<u8>, String> {
    let bytes = decompressed(record, compression, LIMIT);
    bytes
        .map(Cow::into_owned)
        .map_err(|failure| failure.to_string())
}

#[test]
fn what_is_not_compressed_is_not_copied() {
    for compression in [Compression::None, Compression::Auto] {
        let bytes = decompressed(b"{}", compression, 1).unwrap();
        assert!(matches!(bytes, Cow::Borrowed(b"{}")));
    }
    // Without the option, compressed bytes are the payload.
    assert_eq!(read(&gzip(b"{}"), Compression::None).unwrap(), gzip(b"{}"));
}

#[test]
fn gzip_and_zstd_are_recognized_by_their_first_bytes() {
    for record in [gzip(b"text"), zstd(b"text"), b"text".to_vec()] {
        assert_eq!(read(&record, Compression::Auto).unwrap(), b"text");
    }
    assert_eq!(read(b"", Compression::Auto).unwrap(), b"");
    assert_eq!(read(&gzip(b""), Compression::Auto).unwrap(), b"");
}

#[test]
fn all_members_and_frames_are_read() {
    let members = [gzip(b"a"), gzip(b""), gzip(b"bc")].concat();
    assert_eq!(read(&members, Compression::Gzip).unwrap(), b"abc");
    let frames = [zstd(b"a"), zstd(b""), zstd(b"bc")].concat();
    assert_eq!(read(&frames, Compression::Zstd).unwrap(), b"abc");
}

#[test]
fn damaged_records_are_refused() {
    let text = b"some text that is long enough to be cut anywhere".repeat(20);
    for (compression, record, name) in [
        (Compression::Gzip, gzip(&text), "gzip"),
        (Compression::Zstd, zstd(&text), "zstd"),
    ] {
        for len in 0..record.len() {
            let failure = match read(&record[..len], compression) {
                Err(failure) => failure,
                // No frame at all is an empty payload.
                Ok(bytes) => {
                    assert!(len == 0 && bytes.is_empty(), "{name} {len}");
                    continue;
                }
            };
            assert!(
                failure.starts_with(&format!("is not valid {name} data: ")),
                "{failure}"
            );
        }
        for rest in [&b"rest"[..], b"\0", &record[..1]] {
            let failure = read(&[&record[..], rest].concat(), compression).unwrap_err();
            let expected = format!(
                "has {} after its {name} data, which ends at byte {}",
                match rest.len() {
                    1 => "1 byte".to_owned(),
                    bytes => format!("{bytes} bytes"),
                },
                record.len()
            );
            assert!(failure.starts_with(&expected), "{failure}");
        }
        let twice = [&record[..], &record[..record.len() - 1]].concat();
        let failure = read(&twice, compression).unwrap_err();
        assert!(
            failure.starts_with(&format!("is not valid {name} data: ")),
            "{failure}"
        );
        assert!(read(b"{}", compression).is_err(), "{name}");
    }
    let mut record = gzip(&text);
    let checksum = record.len() - 8;
    record[checksum] ^= 1;
    assert!(read(&record, Compression::Gzip).is_err());
}

#[test]
fn a_record_may_not_expand_beyond_the_limit() {
    let exact = vec![b'a'; LIMIT];
    for (compress, compression) in [
        (gzip as fn(&[u8]) -> Vec<u8>, Compression::Gzip),
        (zstd, Compression::Zstd),
    ] {
        assert_eq!(read(&compress(&exact), compression).unwrap().len(), LIMIT);
        // 64 MiB in a few kilobytes, and as many members.
        let bomb = compress(&vec![0; 64 << 20]);
        let members = compress(&exact).repeat(64);
        for record in [bomb, members] {
            let failure = read(&record, compression).unwrap_err();
            let expected =
                "expands to more than 1048576 bytes ('kinesis.format.maxDecompressedBytes')";
            assert_eq!(failure, expected);
        }
    }
}

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let mut decoder = MultiGzDecoder::new(&bomb[..]);
    assert!(bounded(&mut decoder, bomb.len(), LIMIT, "gzip").is_err());
    // The rest was not read.
    let mut rest = Vec::new();
    decoder.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 62 << 20, "{}", rest.len());
}
