//! A member that finds no space as a whole is closed in pieces: the tail gives back what each of them held before the next is written.
//!
//! Invariant: a piece that cannot be written changes nothing; what was open before it stays open, and where it was.

use std::fs::File;
use std::io::{self, BufReader};

use gonogo_core::Digest;
use gonogo_dryrun::Stream;
use gonogo_dryrun::index::{Member, Reader, Record, Sum};

use super::{Close, Store, number};

/// On a disk that stays full a member is closed in pieces of about so many bytes: the space that the last one gives back is what the
/// next one needs.
const PIECE: u64 = 64 << 10;

/// A part of the open member.
#[derive(Default)]
struct Piece {
    length: u64,
    recovered: bool,
    open_end: bool,
    /// Of its batches.
    digests: Vec<Digest>,
}

impl Store {
    /// Closes the open member in pieces, on a disk that stays full: after each one the tail gives back the space of what it held.
    pub(super) fn close_in_pieces(&mut self, stream: Stream, close: Close) -> io::Result<()> {
        let mut pieces = self.pieces(stream)?;
        let count = pieces.len();
        let mut result = Ok(());
        let mut done = 0;
        while done < count && result.is_ok() {
            let close = if done + 1 == count {
                close
            } else {
                Close::Member
            };
            result = self.close_piece(stream, &pieces[done], close);
            done += usize::from(result.is_ok());
        }
        let open = &mut self.streams[number(stream)];
        open.sum = Sum::default();
        for piece in pieces.drain(..).skip(done) {
            piece
                .digests
                .iter()
                .for_each(|digest| open.sum.push(digest));
        }
        result
    }

    fn close_piece(&mut self, stream: Stream, piece: &Piece, close: Close) -> io::Result<()> {
        let open = &mut self.streams[number(stream)];
        let rest = open.bytes.split_off(piece.length as usize);
        let bytes = std::mem::replace(&mut open.bytes, rest);
        let (segment, file_offset) = self.chain.place(stream);
        let closed = self.put(stream, &bytes).and_then(|stored| {
            let mut sum = Sum::default();
            piece.digests.iter().for_each(|digest| sum.push(digest));
            self.record(Record::Member(Member {
                seq: self.chain.next_seq(),
                stream,
                offset: self.chain.closed(stream),
                length: piece.length,
                segment,
                file_offset,
                stored,
                compression: self.capture.compression,
                recovered: piece.recovered,
                open_end: piece.open_end,
                ends_segment: close != Close::Member,
                digest: sum.take(),
            }))
        });
        let open = &mut self.streams[number(stream)];
        if let Err(e) = closed {
            let rest = std::mem::replace(&mut open.bytes, bytes);
            open.bytes.extend_from_slice(&rest);
            return Err(e);
        }
        open.length -= piece.length;
        open.recovered &= open.length > 0;
        open.closed_in_segment += piece.length;
        self.closed(stream, segment, close);
        // Durable first, then the tail's space is given back.
        self.syncing.sync()
    }

    /// The batches of the open member, a few together.
    fn pieces(&self, stream: Stream) -> io::Result<Vec<Piece>> {
        let source = BufReader::with_capacity(1 << 16, File::open(self.files.index())?);
        let mut reader = Reader::new(source).map_err(io::Error::other)?;
        let closed = self.chain.closed(stream);
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(record) = reader.read().map_err(io::Error::other)? {
            let Record::Batch(batch) = record else {
                continue;
            };
            if batch.stream != stream || batch.offset < closed {
                continue;
            }
            let piece = match pieces.last_mut().filter(|piece| piece.length < PIECE) {
                Some(piece) => piece,
                None => {
                    pieces.push(Piece::default());
                    pieces.last_mut().expect("invariant: one was added")
                }
            };
            piece.length += u64::from(batch.length);
            piece.recovered |= batch.recovered;
            piece.open_end = batch.open_end;
            piece.digests.push(batch.digest);
        }
        Ok(pieces)
    }
}
