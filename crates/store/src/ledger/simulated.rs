//! A disk that does only what POSIX promises: bytes, lengths and names that were not synced may be lost, torn or reordered
//! when the power fails, and a failed sync loses what it should have kept while reads still show it.
//!
//! A fake, for the tests of the write path and of recovery: what holds on it holds for every order in which a real disk may
//! work. Everything is decided by a seed; no clock, no threads of its own.
//!
//! Invariants: what [`DiskFile::sync`] and [`Disk::sync_dir`] acknowledged survives every power failure; after the failure
//! point every call fails until [`SimDisk::restart`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checkpoint_lock::CheckpointLock;
use super::disk::{Disk, DiskFile, Exclusive, Open};
use super::error::LedgerError;

/// When and how the disk misbehaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The power fails in the call with this number; counted are calls that change something. None: never.
    pub power_fails_at: Option<u64>,
    /// The sync with this number fails and loses what it should have kept; counted from the same restart. None: never.
    pub sync_fails_at: Option<u64>,
    /// The process dies with that sync, before it can do anything about it.
    pub dies_with_it: bool,
    /// There is room for so many more bytes. None: without end.
    pub room: Option<u64>,
}

/// A simulated disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

#[derive(Debug)]
struct World {
    random: Random,
    faults: Faults,
    calls: u64,
    syncs: u64,
    dark: bool,
    files: Vec<Content>,
    dirs: BTreeMap<PathBuf, Dir>,
    checkpoint: Option<String>,
    index: u64,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct Dir {
    now: BTreeMap<OsString, Node>,
    durable: BTreeMap<OsString, Node>,
    pending: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Dir,
}

#[derive(Debug, Clone)]
enum Entry {
    Add(OsString, Node),
    Remove(OsString),
    Rename(OsString, OsString, Node),
}

/// xorshift64*: small, and the same everywhere.
#[derive(Debug, Clone, Copy)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n.max(1)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// Which of several unsynced changes reach the disk.
#[derive(Debug, Clone, Copy)]
enum Survival {
    None,
    All,
    Prefix(u64),
    Any,
}

impl SimDisk {
    /// An empty disk with the directory `root`, which is durable.
    pub fn new(seed: u64, root: &Path, faults: Faults) -> Self {
        let mut dirs = BTreeMap::new();
        dirs.insert(root.to_owned(), Dir::default());
        Self(Arc::new(Mutex::new(World {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            faults,
            calls: 0,
            syncs: 0,
            dark: false,
            files: Vec::new(),
            dirs,
            checkpoint: None,
            index: next_index(),
        })))
    }

    /// Returns how many calls changed something since the last restart.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Returns whether the power has failed.
    pub fn is_dark(&self) -> bool {
        self.world().dark
    }

    /// Lets the power come back: what was not synced survives, is torn, or is gone. The index is gone.
    pub fn restart(&self, faults: Faults) {
        let mut world = self.world();
        world.lose();
        world.resume(faults);
    }

    /// Ends the process without a power failure: memory is gone, the system's cache is not.
    pub fn reopen(&self, faults: Faults) {
        self.world().resume(faults);
    }

    /// Returns a file's bytes as a reader sees them now.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        match world.find(path) {
            Some(Node::File(n)) => Some(world.files[n].now.clone()),
            _ => None,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_index() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn dark() -> io::Error {
    io::Error::other("the power has failed")
}

impl World {
    fn resume(&mut self, faults: Faults) {
        self.faults = faults;
        self.calls = 0;
        self.syncs = 0;
        self.dark = false;
        self.index = next_index();
    }

    /// Counts a call that changes something; returns whether the power fails in it.
    fn call(&mut self) -> io::Result<bool> {
        if self.dark {
            return Err(dark());
        }
        self.calls += 1;
        if self.faults.power_fails_at == Some(self.calls) {
            self.dark = true;
        }
        Ok(self.dark)
    }

    /// Counts a sync; returns whether it works.
    fn sync(&mut self) -> io::Result<bool> {
        let fails = self.call()?;
        self.syncs += 1;
        if fails {
            return if self.random.coin() {
                Ok(true)
            } else {
                Err(dark())
            };
        }
        let works = self.faults.sync_fails_at != Some(self.syncs);
        if !works && self.faults.dies_with_it {
            self.dark = true;
        }
        Ok(works)
    }

    fn take_room(&mut self, bytes: usize) -> io::Result<()> {
        if let Some(room) = &mut self.faults.room {
            let Some(rest) = room.checked_sub(bytes as u64) else {
                return Err(io::ErrorKind::StorageFull.into());
            };
            *room = rest;
        }
        Ok(())
    }

    fn split(path: &Path) -> io::Result<(PathBuf, OsString)> {
        match (path.parent(), path.file_name()) {
            (Some(dir), Some(name)) => Ok((dir.to_owned(), name.to_owned())),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let (dir, name) = Self::split(path).ok()?;
        self.dirs.get(&dir)?.now.get(&name).copied()
    }

    fn dir(&mut self, path: &Path) -> io::Result<&mut Dir> {
        self.dirs
            .get_mut(path)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn lose(&mut self) {
        for content in &mut self.files {
            let pending = std::mem::take(&mut content.pending);
            let sector = if self.random.coin() { 512 } else { 4096 };
            let parts = pending
                .into_iter()
                .flat_map(|change| torn(change, sector))
                .collect::<Vec<_>>();
            let survival = survival(&mut self.random, parts.len());
            for (n, part) in parts.into_iter().enumerate() {
                if survives(survival, n, &mut self.random) {
                    apply(&mut content.durable, part);
                }
            }
            content.now.clone_from(&content.durable);
        }
        for dir in self.dirs.values_mut() {
            let pending = std::mem::take(&mut dir.pending);
            let survival = survival(&mut self.random, pending.len());
            for (n, entry) in pending.into_iter().enumerate() {
                if survives(survival, n, &mut self.random) {
                    enter(&mut dir.durable, entry);
                }
            }
            dir.now.clone_from(&dir.durable);
        }
        let all: Vec<PathBuf> = self.dirs.keys().cloned().collect();
        let Some(root) = all.first().cloned() else {
            return;
        };
        // Parents come before children in the order of paths.
        for path in all.into_iter().filter(|path| *path != root) {
            let reachable = path.parent().is_some_and(|dir| self.dirs.contains_key(dir))
                && self.find(&path) == Some(Node::Dir);
            if !reachable {
                self.dirs.remove(&path);
            }
        }
    }
}

fn survival(random: &mut Random, count: usize) -> Survival {
    match random.below(4) {
        0 => Survival::None,
        1 => Survival::All,
        2 => Survival::Prefix(random.below(count as u64 + 1)),
        _ => Survival::Any,
    }
}

fn survives(survival: Survival, n: usize, random: &mut Random) -> bool {
    match survival {
        Survival::None => false,
        Survival::All => true,
        Survival::Prefix(count) => (n as u64) < count,
        Survival::Any => random.coin(),
    }
}

/// A disk writes whole sectors, each for itself.
fn torn(change: Change, sector: usize) -> Vec<Change> {
    let Change::Write(at, bytes) = change else {
        return vec![change];
    };
    let mut parts = Vec::new();
    let mut rest = &bytes[..];
    let mut at = at;
    while !rest.is_empty() {
        let count = (sector - at % sector).min(rest.len());
        parts.push(Change::Write(at, rest[..count].to_vec()));
        rest = &rest[count..];
        at += count;
    }
    parts
}

fn apply(content: &mut Vec<u8>, change: Change) {
    match change {
        Change::Write(at, bytes) => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at..end].copy_from_slice(&bytes);
        }
        Change::Length(length) => content.resize(length, 0),
    }
}

fn enter(names: &mut BTreeMap<OsString, Node>, entry: Entry) {
    match entry {
        Entry::Add(name, node) => {
            names.insert(name, node);
        }
        Entry::Remove(name) => {
            names.remove(&name);
        }
        Entry::Rename(from, to, node) => {
            names.remove(&from);
            names.insert(to, node);
        }
    }
}

impl Dir {
    fn change(&mut self, entry: Entry) {
        enter(&mut self.now, entry.clone());
        self.pending.push(entry);
    }
}

impl Disk for SimDisk {
    fn make_dir(&self, path: &Path, _mode: u32) -> io::Result<()> {
        let mut world = self.world();
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|dir| !world.dirs.contains_key(*dir))
            .map(Path::to_owned)
            .collect();
        for dir in missing.into_iter().rev() {
            let failing = world.call()?;
            if failing && world.random.coin() {
                return Err(dark());
            }
            let (parent, name) = World::split(&dir)?;
            world.dir(&parent)?.change(Entry::Add(name, Node::Dir));
            world.dirs.insert(dir, Dir::default());
        }
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        if world.dark {
            return Err(dark());
        }
        let found = world.find(path);
        let file = match (how, found) {
            (Open::New(_), Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Open::New(_), None) => {
                let (dir, name) = World::split(path)?;
                let failing = world.call()?;
                if failing && world.random.coin() {
                    return Err(dark());
                }
                let file = world.files.len();
                world.dir(&dir)?.change(Entry::Add(name, Node::File(file)));
                world.files.push(Content::default());
                file
            }
            (_, Some(Node::File(file))) => file,
            (_, Some(Node::Dir)) => return Err(io::ErrorKind::IsADirectory.into()),
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let failing = world.call()?;
        if failing && world.random.coin() {
            return Err(dark());
        }
        let node = world
            .find(from)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let ((from_dir, from), (to_dir, to)) = (World::split(from)?, World::split(to)?);
        if from_dir == to_dir {
            world.dir(&to_dir)?.change(Entry::Rename(from, to, node));
        } else {
            world.dir(&to_dir)?.change(Entry::Add(to, node));
            world.dir(&from_dir)?.change(Entry::Remove(from));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        if world.dark {
            return Err(dark());
        }
        if world.find(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.call()?;
        let (dir, name) = World::split(path)?;
        world.dir(&dir)?.change(Entry::Remove(name));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let works = world.sync()?;
        let dir = world.dir(path)?;
        if works {
            dir.pending.clear();
            dir.durable = dir.now.clone();
            if world.dark { Err(dark()) } else { Ok(()) }
        } else {
            // Names go through the file system's journal, which does not forget them; nobody knows when they get there.
            Err(io::Error::other("injected: the sync failed"))
        }
    }

    fn exclusive(&self, _path: &Path) -> io::Result<Box<dyn Exclusive>> {
        Ok(Box::new(Alone))
    }

    fn checkpoint_lock(&self, _path: &Path) -> Result<Box<dyn CheckpointLock>, LedgerError> {
        Ok(Box::new(SimLock(self.clone())))
    }

    fn segment_limit(&self) -> u64 {
        16 << 10
    }

    fn index(&self, _path: &Path) -> PathBuf {
        PathBuf::from(format!("file:/gonogo-{}?vfs=memdb", self.world().index))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.disk.world();
        if world.dark {
            return Err(dark());
        }
        let now = &world.files[self.file].now;
        let at = usize::try_from(offset).unwrap_or(usize::MAX).min(now.len());
        let count = buffer.len().min(now.len() - at);
        buffer[..count].copy_from_slice(&now[at..at + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let failing = world.call()?;
        world.take_room(bytes.len())?;
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let change = Change::Write(at, bytes.to_vec());
        let content = &mut world.files[self.file];
        apply(&mut content.now, change.clone());
        content.pending.push(change);
        if failing { Err(dark()) } else { Ok(()) }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let failing = world.call()?;
        let change = Change::Length(usize::try_from(length).unwrap_or(usize::MAX));
        let content = &mut world.files[self.file];
        apply(&mut content.now, change.clone());
        content.pending.push(change);
        if failing { Err(dark()) } else { Ok(()) }
    }

    fn length(&self) -> io::Result<u64> {
        let world = self.disk.world();
        if world.dark {
            return Err(dark());
        }
        Ok(world.files[self.file].now.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        let works = world.sync()?;
        let dark_now = world.dark;
        let content = &mut world.files[self.file];
        content.pending.clear();
        if works {
            content.durable = content.now.clone();
            if dark_now { Err(dark()) } else { Ok(()) }
        } else {
            // The pages are marked clean: reads show them, the disk never gets them.
            Err(io::Error::other("injected: the sync failed"))
        }
    }
}

#[derive(Debug)]
struct Alone;

impl Exclusive for Alone {
    fn try_take(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn release(&self) {}
}

#[derive(Debug)]
struct SimLock(SimDisk);

impl CheckpointLock for SimLock {
    fn read(&mut self) -> Result<Option<String>, LedgerError> {
        let world = self.0.world();
        if world.dark {
            return Err(failed());
        }
        Ok(world.checkpoint.clone())
    }

    fn swap(&mut self, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        let mut world = self.0.world();
        let works = world.sync().map_err(|_| failed())?;
        if world.checkpoint.as_deref() != old {
            return Ok(false);
        }
        // A database whose sync failed may show the change afterwards, or not.
        if works || world.random.coin() {
            world.checkpoint = Some(new.to_owned());
        }
        if !works || world.dark {
            Err(failed())
        } else {
            Ok(true)
        }
    }
}

fn failed() -> LedgerError {
    LedgerError::Sync {
        path: PathBuf::from("lock.db"),
        text: "the power has failed".into(),
    }
}
