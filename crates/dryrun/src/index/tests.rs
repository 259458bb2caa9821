//! Tests of the index: what is written is read, what is torn is cut, what is changed is refused.

use super::*;

fn batch(seq: u64, stream: Stream, offset: u64, length: u32) -> Record {
    Record::Batch(Batch {
        seq,
        stream,
        offset,
        at: Moment {
            boot: 7 + seq,
            wall: -9,
        },
        length,
        newlines: 1,
        recovered: seq.is_multiple_of(2),
        open_end: true,
        digest: Digest::of(b"x"),
    })
}

fn member(seq: u64, offset: u64, length: u64, place: (u32, u64)) -> Record {
    Record::Member(Member {
        seq,
        stream: Stream::Stdout,
        offset,
        length,
        segment: place.0,
        file_offset: place.1,
        stored: length,
        compression: Compression::Zstd,
        recovered: false,
        open_end: false,
        ends_segment: true,
        digest: Digest::of(b"y"),
    })
}

fn file(records: &[Record]) -> Vec<u8> {
    let mut out = Header::new("run", [3; 16]).encode().to_vec();
    for record in records {
        out.extend_from_slice(&record.encode());
    }
    out
}

fn sample() -> Vec<Record> {
    vec![
        batch(0, Stream::Stdout, 0, 100),
        batch(1, Stream::Stderr, 0, 50),
        batch(2, Stream::Stdout, 100, 100),
        member(3, 0, 200, (1, 0)),
        batch(4, Stream::Stdout, 200, 10),
        member(5, 200, 10, (2, 0)),
    ]
}

#[test]
fn what_is_written_is_read() {
    let records = sample();
    let bytes = file(&records);
    let mut reader = Reader::new(&bytes[..]).unwrap();
    assert_eq!(reader.header(), &Header::new("run", [3; 16]));
    let read: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(read, records);
    assert_eq!(reader.cut(), None);
    assert_eq!(reader.position(), bytes.len() as u64);
    assert_eq!(reader.state().closed(Stream::Stdout), 210);
    assert_eq!(reader.state().indexed(Stream::Stderr), 50);
    assert_eq!(reader.state().place(Stream::Stdout), (3, 0));
}

#[test]
fn a_torn_end_is_cut_wherever_it_is_torn() {
    let bytes = file(&sample());
    for length in HEADER_BYTES..bytes.len() {
        let mut reader = Reader::new(&bytes[..length]).unwrap();
        let whole = (length - HEADER_BYTES) / RECORD_BYTES;
        assert_eq!(reader.by_ref().filter_map(Result::ok).count(), whole);
        let over = (length - HEADER_BYTES) % RECORD_BYTES;
        assert_eq!(reader.cut().map_or(0, |cut| cut.bytes), over as u64);
    }
    // A power cut may leave blocks of zeros.
    let mut zeros = bytes.clone();
    zeros.extend_from_slice(&[0; 1000]);
    let mut reader = Reader::new(&zeros[..]).unwrap();
    assert_eq!(reader.by_ref().filter_map(Result::ok).count(), 6);
    assert_eq!(reader.cut().unwrap().at, bytes.len() as u64);
    assert_eq!(reader.cut().unwrap().bytes, 1000);
    for length in 0..HEADER_BYTES {
        assert!(matches!(
            Reader::new(&bytes[..length]),
            Err(IndexError::NoHeader { .. })
        ));
    }
}

#[test]
fn a_flipped_bit_before_the_last_record_is_refused() {
    let bytes = file(&sample());
    for at in 0..bytes.len() - RECORD_BYTES {
        for bit in [0, 5] {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            match Reader::new(&bad[..]) {
                Err(_) => assert!(at < HEADER_BYTES),
                Ok(reader) => {
                    let error = reader
                        .filter_map(Result::err)
                        .next()
                        .unwrap_or_else(|| panic!("byte {at}"));
                    let record = (at - HEADER_BYTES) / RECORD_BYTES;
                    let text = error.to_string();
                    assert!(text.contains(&format!("(record {record})")), "{text}");
                }
            }
        }
    }
}

#[test]
fn records_that_do_not_follow_are_refused() {
    let good = sample();
    for (bad, word) in [
        (batch(7, Stream::Stdout, 210, 1), "number"),
        (batch(6, Stream::Stdout, 211, 1), "begins"),
        (batch(6, Stream::Stdout, 200, 1), "begins"),
        (member(6, 210, 1, (3, 0)), "indexed"),
        (member(6, 209, 1, (3, 0)), "comes next"),
        (member(6, 210, 1, (4, 0)), "comes next"),
    ] {
        let mut records = good.clone();
        records.push(bad);
        let bytes = file(&records);
        let error = Reader::new(&bytes[..])
            .unwrap()
            .filter_map(Result::err)
            .next()
            .unwrap();
        assert!(error.to_string().contains(word), "{error}");
    }
}
