//! The journal's records: read in order by one thread, verified by several, joined in order again.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use gonogo_core::Digest;
use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::packet::MANIFEST_KIND;
use gonogo_ledger::statement::Outline;
use gonogo_ledger::{CONTROLLER, Checkpoint, KeyEvent, KeyId, Statement, key_event, leaf};

use memchr::memmem::Finder;
use serde_json::Value;

use super::projection::{self, Projection, Rows};
use super::tiles::Tiles;
use super::{Progress, fits};
use crate::ledger::disk::Layout;
use crate::ledger::error::LedgerError;
use crate::ledger::frame::{Frame, RecordFrame};
use crate::ledger::index;
use crate::ledger::journal::{Frames, Next, Place};
use crate::ledger::recover::lock_is_older;
use crate::ledger::upkeep::TOMBSTONE;

/// How many records go to a worker at a time.
const CHUNK: usize = 512;

/// What is known of the records before.
pub(super) struct Walk<'a> {
    acknowledged: Checkpoint,
    /// What others have seen of the log.
    seen: Vec<Checkpoint>,
    tiles: Tiles<'a>,
    frontier: Frontier,
    /// By the digest of its name: how many records the stream has, and the last one's digest.
    streams: HashMap<Digest, (u64, Digest)>,
    /// Role, and whether the key was revoked.
    keys: HashMap<KeyId, (String, bool)>,
    begun: bool,
    projection: Option<Projection>,
    /// By what records name them: the first that does.
    named: HashMap<Digest, u64>,
    /// The blobs that were erased, and by which record.
    erased: HashMap<Digest, u64>,
    /// Reads the lock again.
    lock: &'a dyn Fn() -> Result<Checkpoint, LedgerError>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        acknowledged: Checkpoint,
        seen: Vec<Checkpoint>,
        tiles: Tiles<'a>,
        projection: Option<Projection>,
        lock: &'a dyn Fn() -> Result<Checkpoint, LedgerError>,
    ) -> Self {
        Self {
            acknowledged,
            seen,
            tiles,
            frontier: Frontier::default(),
            streams: HashMap::new(),
            keys: HashMap::new(),
            begun: false,
            projection,
            named: HashMap::new(),
            erased: HashMap::new(),
            lock,
        }
    }

    /// The newest checkpoint of the lock that was read.
    pub(super) const fn acknowledged(&self) -> &Checkpoint {
        &self.acknowledged
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Ends the comparison with the index; returns how many records it has, if it was compared.
    pub(super) fn finish_index(&self) -> Result<Option<u64>, LedgerError> {
        let records = self.size();
        let projection = self.projection.as_ref();
        projection.map(|p| p.finish(records)).transpose()
    }

    /// Compares the blobs that are here with those that records name, and those that records erased.
    pub(super) fn compare_blobs(
        &self,
        layout: &Layout,
        here: &BTreeSet<Digest>,
    ) -> Result<(), LedgerError> {
        for (digest, index) in &self.erased {
            if here.contains(digest) {
                let text = format!(
                    "record {index} erased it, and it is here; `gonogo ledger erase {digest}` removes it"
                );
                return Err(LedgerError::corrupt(&layout.blob(digest), text));
            }
        }
        for (digest, index) in &self.named {
            if !here.contains(digest) && !self.erased.contains_key(digest) {
                let text = format!("record {index} names it, and it is missing");
                return Err(LedgerError::corrupt(&layout.blob(digest), text));
            }
        }
        Ok(())
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
    rows: Rows,
    /// Blobs that it names, and the one that it erases.
    named: Vec<Digest>,
    erased: Option<Digest>,
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
    (number, path): (u32, &Path),
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
                outcome = join(piece, (number, path), walk);
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
    let payload = envelope.payload();
    let outline = Outline::read(payload).map_err(at)?;
    let is_event = outline.kind == key_event::KIND;
    let mut event = None;
    let (mut reasons, mut named, mut erased) = (Vec::new(), Vec::new(), None);
    if is_event || MARKS.iter().any(|mark| mark.find(payload).is_some()) {
        let body = Statement::parse(payload).map_err(at)?.body;
        if is_event {
            event = Some(KeyEvent::from_body(&body).map_err(at)?);
        }
        let codes = index::reasons(&body);
        reasons = codes.into_iter().map(str::to_owned).collect();
        match &*outline.kind {
            MANIFEST_KIND => {}
            TOMBSTONE => erased = body.get("blob").and_then(read_digest),
            _ => blobs(&body, 0, &mut named),
        }
    }
    let body = leaf::body(envelope, signer);
    let (digest, leaf) = (Digest::of(payload), merkle::leaf_hash(&body));
    let signer = signer.id();
    Ok(Sound {
        offset,
        signer,
        stream: Digest::of(outline.stream.as_bytes()),
        owned: is_event || outline.kind == MANIFEST_KIND,
        seq: outline.seq,
        prev: outline.prev,
        digest,
        leaf,
        body,
        event,
        rows: projection::rows(&outline, [&digest, &leaf], &signer, reasons),
        named,
        erased,
    })
}

/// Only a statement with one of these has a body that says more than what its outline does: field names of reason codes
/// and of blobs.
static MARKS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [r#""reason"#, r#""code""#, r#""blob""#].map(Finder::new));

/// The blobs that a body names: digests under a field `blob`, at any depth.
fn blobs(value: &Value, depth: usize, found: &mut Vec<Digest>) {
    match value {
        Value::Array(items) if depth < 64 => {
            items.iter().for_each(|v| blobs(v, depth + 1, found));
        }
        Value::Object(fields) if depth < 64 => {
            for (name, value) in fields {
                found.extend(Some(value).filter(|_| name == "blob").and_then(read_digest));
                blobs(value, depth + 1, found);
            }
        }
        _ => {}
    }
}

fn read_digest(value: &Value) -> Option<Digest> {
    value.as_str()?.parse().ok()
}

fn join(
    piece: Piece,
    (number, path): (u32, &Path),
    walk: &mut Walk<'_>,
) -> Result<(), LedgerError> {
    let bad = |offset: u64, text: &str| {
        LedgerError::corrupt(path, format!("the record at byte {offset}: {text}"))
    };
    match piece {
        Piece::Checkpoint(offset, note) => {
            if !fits(&note, &walk.frontier) {
                let text = "a checkpoint that does not fit the records before it";
                return Err(bad(offset, text));
            }
            walk.signed()
        }
        Piece::Records(answered) => {
            let sound = answered
                .recv()
                .map_err(|_| bad(0, "its verification did not end"))?;
            for sound in sound.map_err(|(offset, text)| bad(offset, &text))? {
                walk.record(sound, number, bad)?;
                walk.compare(path)?;
            }
            Ok(())
        }
    }
}

impl Walk<'_> {
    /// A batch begins with the checkpoint over the records before it, which was acknowledged before. So a lock that
    /// acknowledges less is an older copy, unless a writer has moved it meanwhile.
    fn signed(&mut self) -> Result<(), LedgerError> {
        if self.size() <= self.acknowledged.size {
            return Ok(());
        }
        self.acknowledged = (self.lock)()?;
        if self.size() <= self.acknowledged.size {
            return Ok(());
        }
        let path = self.tiles.layout().checkpoint_lock();
        Err(lock_is_older(&path, self.acknowledged.size, self.size()))
    }

    fn record(
        &mut self,
        sound: Sound,
        segment: u32,
        bad: impl Fn(u64, &str) -> LedgerError,
    ) -> Result<(), LedgerError> {
        let bad = |text: String| bad(sound.offset, &text);
        self.signer(&sound).map_err(bad)?;
        let stream = self.streams.get(&sound.stream).copied();
        let expected = stream.map_or((0, None), |(count, last)| (count, Some(last)));
        if (sound.seq, sound.prev) != expected {
            return Err(bad(format!(
                "it is number {} of its stream, and number {} is next",
                sound.seq, expected.0
            )));
        }
        self.streams
            .insert(sound.stream, (sound.seq + 1, sound.digest));
        let index = self.frontier.size();
        for digest in sound.named {
            self.named.entry(digest).or_insert(index);
        }
        if let Some(digest) = sound.erased {
            self.erased.entry(digest).or_insert(index);
        }
        let finished = self.frontier.push(sound.leaf);
        if let Some(projection) = &mut self.projection {
            let place = Place {
                segment,
                offset: sound.offset,
            };
            projection.record(index, place, &sound.rows, sound.event.as_ref(), &finished)?;
            projection.tree(&self.frontier)?;
        }
        self.tiles.push(sound.body, sound.leaf, &finished)
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
        let wrong = std::iter::once(&self.acknowledged)
            .chain(&self.seen)
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
