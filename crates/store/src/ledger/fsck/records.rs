//! The journal's records: read in order by one thread, verified by several, joined in order again.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use gonogo_core::Digest;
use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::packet::MANIFEST_KIND;
use gonogo_ledger::statement::Outline;
use gonogo_ledger::{CONTROLLER, Checkpoint, KeyEvent, KeyId, Statement, key_event, leaf};

use super::tiles::Tiles;
use super::{Progress, fits};
use crate::ledger::error::LedgerError;
use crate::ledger::frame::{Frame, RecordFrame};
use crate::ledger::journal::{Frames, Next};

/// How many records go to a worker at a time.
const CHUNK: usize = 512;

/// What is known of the records before.
pub(super) struct Walk<'a> {
    acknowledged: Checkpoint,
    published: Option<Checkpoint>,
    tiles: Tiles<'a>,
    frontier: Frontier,
    /// By the digest of its name: how many records the stream has, and the last one's digest.
    streams: HashMap<Digest, (u64, Digest)>,
    /// Role, and whether the key was revoked.
    keys: HashMap<KeyId, (String, bool)>,
    begun: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        acknowledged: Checkpoint,
        published: Option<Checkpoint>,
        tiles: Tiles<'a>,
    ) -> Self {
        Self {
            acknowledged,
            published,
            tiles,
            frontier: Frontier::default(),
            streams: HashMap::new(),
            keys: HashMap::new(),
            begun: false,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Compares what is left of the tiles; returns how many were compared.
    pub(super) fn finish_tiles(&mut self) -> Result<u64, LedgerError> {
        self.tiles.finish()
    }
}

/// One record of the journal, to be verified.
struct Raw {
    offset: u64,
    record: RecordFrame,
}

/// One record of the journal, verified for itself.
struct Sound {
    offset: u64,
    signer: KeyId,
    /// Only controllers sign records of its kind.
    owned: bool,
    stream: Digest,
    seq: u64,
    prev: Option<Digest>,
    digest: Digest,
    body: Vec<u8>,
    leaf: Digest,
    event: Option<KeyEvent>,
}

/// What the reading thread hands on, in the journal's order.
enum Piece {
    Records(Receiver<Result<Vec<Sound>, (u64, String)>>),
    Checkpoint(u64, String),
}

type Work = (Vec<Raw>, SyncSender<Result<Vec<Sound>, (u64, String)>>);

/// Checks a segment; returns where its good frames end.
pub(super) fn segment(
    frames: &mut Frames,
    path: &Path,
    walk: &mut Walk<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, LedgerError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let (pieces, in_order) = sync_channel::<Piece>(2 * workers);
        let (hand_out, work) = sync_channel::<Work>(2 * workers);
        let work = std::sync::Mutex::new(work);
        let work = std::sync::Arc::new(work);
        for _ in 0..workers {
            let work = std::sync::Arc::clone(&work);
            scope.spawn(move || {
                loop {
                    // A statement of its own, so that the lock is free while the records are verified.
                    let next = crate::ledger::lock(&work).recv();
                    let Ok((raw, answer)) = next else { return };
                    // The reader of the answer may have given up.
                    let _ = answer.send(raw.into_iter().map(verify).collect());
                }
            });
        }
        drop(work);
        let reading = scope.spawn(move || read(frames, &pieces, &hand_out));
        let mut outcome = Ok(());
        for piece in in_order {
            if outcome.is_ok() {
                outcome = join(piece, path, walk);
                progress(Progress {
                    records: walk.size(),
                    of: walk.acknowledged.size,
                });
            }
        }
        let end = match reading.join() {
            Ok(end) => end?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        outcome.map(|()| end)
    })
}

/// Reads frames and hands them out; returns where the good ones end.
fn read(
    frames: &mut Frames,
    pieces: &SyncSender<Piece>,
    hand_out: &SyncSender<Work>,
) -> Result<u64, LedgerError> {
    let mut chunk = Vec::with_capacity(CHUNK);
    let flush = |chunk: &mut Vec<Raw>| {
        if !chunk.is_empty() {
            let (answer, answered) = sync_channel(1);
            // Nobody hangs up before the last piece.
            let _ = hand_out.send((std::mem::take(chunk), answer));
            let _ = pieces.send(Piece::Records(answered));
        }
    };
    loop {
        let offset = frames.offset();
        match frames.next()? {
            Next::End | Next::Bad => {
                flush(&mut chunk);
                return Ok(offset);
            }
            Next::Frame(Frame::Checkpoint(note), _) => {
                flush(&mut chunk);
                let _ = pieces.send(Piece::Checkpoint(offset, note));
            }
            Next::Frame(Frame::Record(record), _) => {
                chunk.push(Raw { offset, record });
                if chunk.len() == CHUNK {
                    flush(&mut chunk);
                }
            }
        }
    }
}

/// What can be said of a record without the others.
fn verify(raw: Raw) -> Result<Sound, (u64, String)> {
    let offset = raw.offset;
    let (envelope, signer) = (&raw.record.envelope, &raw.record.signer);
    let at = |e: gonogo_ledger::Error| (offset, e.to_string());
    envelope.verify(signer).map_err(at)?;
    let outline = Outline::read(envelope.payload()).map_err(at)?;
    let is_event = outline.kind == key_event::KIND;
    let event = if is_event {
        let statement = Statement::parse(envelope.payload()).map_err(at)?;
        Some(KeyEvent::from_body(&statement.body).map_err(at)?)
    } else {
        None
    };
    let body = leaf::body(envelope, signer);
    Ok(Sound {
        offset,
        signer: signer.id(),
        stream: Digest::of(outline.stream.as_bytes()),
        owned: is_event || outline.kind == MANIFEST_KIND,
        seq: outline.seq,
        prev: outline.prev,
        digest: envelope.statement_digest(),
        leaf: merkle::leaf_hash(&body),
        body,
        event,
    })
}

fn join(piece: Piece, path: &Path, walk: &mut Walk<'_>) -> Result<(), LedgerError> {
    let bad = |offset: u64, text: &str| {
        LedgerError::corrupt(path, format!("the record at byte {offset}: {text}"))
    };
    match piece {
        Piece::Checkpoint(offset, note) => {
            if fits(&note, &walk.frontier) {
                Ok(())
            } else {
                Err(bad(
                    offset,
                    "a checkpoint that does not fit the records before it",
                ))
            }
        }
        Piece::Records(answered) => {
            let sound = answered
                .recv()
                .map_err(|_| bad(0, "its verification did not end"))?;
            for sound in sound.map_err(|(offset, text)| bad(offset, &text))? {
                let offset = sound.offset;
                walk.record(sound).map_err(|text| bad(offset, &text))?;
                walk.compare(path)?;
            }
            Ok(())
        }
    }
}

impl Walk<'_> {
    fn record(&mut self, sound: Sound) -> Result<(), String> {
        self.signer(&sound)?;
        let stream = self.streams.get(&sound.stream).copied();
        let expected = stream.map_or((0, None), |(count, last)| (count, Some(last)));
        if (sound.seq, sound.prev) != expected {
            return Err(format!(
                "it is number {} of its stream, and number {} is next",
                sound.seq, expected.0
            ));
        }
        self.streams
            .insert(sound.stream, (sound.seq + 1, sound.digest));
        let finished = self.frontier.push(sound.leaf);
        self.tiles
            .push(sound.body, sound.leaf, &finished)
            .map_err(|e| e.to_string())
    }

    fn signer(&mut self, sound: &Sound) -> Result<(), String> {
        let by = self.keys.get(&sound.signer);
        let founding = !self.begun;
        self.begun = true;
        match by {
            Some((_, true)) => return Err(format!("key {} was revoked before", sound.signer)),
            Some((role, false)) => {
                if sound.owned && role != CONTROLLER {
                    let kind = sound
                        .event
                        .as_ref()
                        .map_or(MANIFEST_KIND, |_| key_event::KIND);
                    return Err(format!("a `{kind}` that no controller signed"));
                }
            }
            None if founding => {}
            None => return Err(format!("key {} was not enrolled before", sound.signer)),
        }
        match &sound.event {
            Some(KeyEvent::Enrol { key, role, .. }) => {
                if founding && (key.id() != sound.signer || role != CONTROLLER) {
                    return Err("it does not enrol the key that signs it".into());
                }
                if self.keys.insert(key.id(), (role.clone(), false)).is_some() {
                    return Err(format!("key {} is enrolled twice", key.id()));
                }
            }
            Some(KeyEvent::Revoke { key, .. }) => {
                if let Some((_, revoked)) = self.keys.get_mut(key) {
                    *revoked = true;
                }
            }
            None if founding => return Err("the first record enrols no key".into()),
            None => {}
        }
        Ok(())
    }

    /// Where a checkpoint says something about this many records, it must say what they are.
    fn compare(&self, path: &Path) -> Result<(), LedgerError> {
        let size = self.frontier.size();
        let signed = [Some(&self.acknowledged), self.published.as_ref()];
        let wrong = signed
            .into_iter()
            .flatten()
            .any(|c| c.size == size && c.root != self.frontier.root());
        if wrong {
            return Err(LedgerError::corrupt(
                path,
                format!("the first {size} records do not have the root that was signed"),
            ));
        }
        Ok(())
    }
}
