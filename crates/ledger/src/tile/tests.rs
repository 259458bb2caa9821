//! Tiles by tables and properties: names, contents, and trees read back out of files.

use std::collections::BTreeMap;
use std::convert::Infallible;

use gonogo_core::Digest;
use proptest::prelude::*;

use super::content::*;
use super::*;
use crate::merkle::{
    Frontier, consistency_path, inclusion_path, leaf_hash, tree_root, verify_consistency,
    verify_inclusion,
};

/// A log's files in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// The files of the tree of `size` leaves, and its root.
    fn of(size: u64) -> (Self, Digest) {
        let entries: Vec<Vec<u8>> = (0..size).map(entry).collect();
        let mut files = Self::default();
        let mut builder = TileBuilder::default();
        for entry in &entries {
            for (path, bytes) in builder.push(leaf_hash(entry)) {
                files.0.insert(path.path(), bytes);
            }
        }
        for (path, bytes) in builder.partial() {
            files.0.insert(path.path(), bytes);
        }
        for (at, chunk) in entries.chunks(256).enumerate() {
            let path = TilePath::in_tree(Level::Entries, at as u64, size).unwrap();
            files.0.insert(path.path(), encode_entries(chunk).unwrap());
        }
        (files, builder.root())
    }

    fn fetch(&self) -> impl FnMut(&TilePath) -> Result<Option<Vec<u8>>, Infallible> {
        |path| Ok(self.0.get(&path.path()).cloned())
    }
}

fn entry(at: u64) -> Vec<u8> {
    format!("entry {at}").into_bytes()
}

#[test]
fn the_census_of_70_000_is_that_of_the_specification() {
    let mut census = BTreeMap::new();
    for tile in tiles_of(70_000) {
        *census.entry((tile.level, tile.width)).or_insert(0) += 1;
    }
    let expected = [
        ((Level::Entries, 112), 1),
        ((Level::Entries, 256), 273),
        ((Level::Hash(0), 112), 1),
        ((Level::Hash(0), 256), 273),
        ((Level::Hash(1), 17), 1),
        ((Level::Hash(1), 256), 1),
        ((Level::Hash(2), 1), 1),
    ];
    assert_eq!(census, BTreeMap::from(expected));
    let names = |size| tiles_of(size).map(|t| t.path()).collect::<Vec<_>>();
    assert_eq!(
        names(256),
        ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    );
    assert!(names(0).is_empty());
    assert_eq!(names(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
}

#[test]
fn paths_have_one_spelling() {
    for (level, index, width, path) in [
        (Level::Hash(0), 0, 256, "tile/0/000"),
        (Level::Hash(63), 999, 1, "tile/63/999.p/1"),
        (Level::Hash(1), 1000, 255, "tile/1/x001/000.p/255"),
        (Level::Entries, 1_234_067, 256, "tile/entries/x001/x234/067"),
        (
            Level::Hash(0),
            u64::MAX,
            256,
            "tile/0/x018/x446/x744/x073/x709/x551/615",
        ),
    ] {
        let tile = TilePath {
            level,
            index,
            width,
        };
        assert_eq!(tile.path(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    for bad in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile//000",
        "tile/64/000",
        "tile/00/000",
        "tile/+1/000",
        "tile/data/000",
        "tile/8/0/000",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/000/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/x01/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/1/",
        "tile/0/00a",
        "tile/0/X001/000",
        "tile/0/000 ",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/٠٠٠",
        "tile/entries/../000",
        "tile/Entries/000",
    ] {
        assert!(bad.parse::<TilePath>().is_err(), "{bad}");
    }
}

#[test]
fn new_tiles_are_those_that_the_old_tree_lacks() {
    for (old, new) in [
        (0, 0),
        (5, 5),
        (6, 5),
        (0, 70_000),
        (255, 256),
        (256, 257),
        (256, 300),
        (255, 600),
        (65_535, 65_537),
        (65_536, 70_000),
    ] {
        let before: std::collections::BTreeSet<_> = tiles_of(old.min(new)).collect();
        let expected: Vec<_> = tiles_of(new)
            .filter(|t| old < new && !before.contains(t))
            .collect();
        assert_eq!(
            new_tiles(old, new).collect::<Vec<_>>(),
            expected,
            "{old} {new}"
        );
    }
    // The largest trees overflow nowhere; their tiles are too many to list.
    assert!(tiles_of(u64::MAX).next().is_some());
    assert_eq!(new_tiles(u64::MAX - 1, u64::MAX).count(), 2);
    assert_eq!(TilePath::in_tree(Level::Hash(0), u64::MAX, u64::MAX), None);
    assert_eq!(TilePath::in_tree(Level::Hash(63), 0, u64::MAX), None);
}

#[test]
fn bundles_are_lengths_and_entries_and_nothing_else() {
    let entries: [&[u8]; 3] = [b"ab", b"", &[7; MAX_ENTRY]];
    let bytes = encode_entries(&entries).unwrap();
    assert_eq!(bytes[..6], *b"\0\x02ab\0\0");
    assert_eq!(decode_entries(&bytes, 3), Ok(entries.to_vec()));
    for (bytes, width) in [
        (&bytes[..], 2),
        (&bytes[..], 4),
        (&bytes[..bytes.len() - 1], 3),
        (&bytes[..1], 1),
        (&[][..], 1),
    ] {
        assert!(decode_entries(bytes, width).is_err());
    }
    assert!(encode_entries(&[vec![0; MAX_ENTRY + 1]]).is_err());
    assert!(encode_entries::<Vec<u8>>(&[]).is_err());
    assert!(encode_entries(&vec![[0_u8; 1]; 257]).is_err());
    let hashes = [Digest::of(b"a"), Digest::of(b"b")];
    let bytes = encode_hashes(&hashes);
    assert_eq!(decode_hashes(&bytes, 2), Ok(hashes.to_vec()));
    assert!(decode_hashes(&bytes, 1).is_err() && decode_hashes(&bytes[..63], 2).is_err());
    assert_eq!(
        tile_root(&hashes),
        None,
        "partial tiles are never hashed upward"
    );
}

#[test]
fn trees_are_read_out_of_their_files() {
    for size in [
        1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000,
    ] {
        let (files, root) = Files::of(size);
        let names: Vec<String> = tiles_of(size).map(|t| t.path()).collect();
        assert_eq!(names.len(), files.0.len());
        assert!(names.iter().all(|name| files.0.contains_key(name)));
        let mut tree = TileReader::open(size, &root, files.fetch()).unwrap();
        assert_eq!(tree_root(&mut tree, size), Ok(root));
        for index in [0, size / 2, size - 1] {
            let path = inclusion_path(&mut tree, index, size).unwrap();
            let leaf = leaf_hash(&entry(index));
            assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
            let bundle = tree.entries(index / 256).unwrap();
            assert_eq!(bundle[(index % 256) as usize], entry(index));
        }
        for old in [1, size / 3 + 1, size] {
            let old_root = tree_root(&mut tree, old).unwrap();
            assert_eq!(old_root, {
                let mut frontier = Frontier::default();
                (0..old).for_each(|at| drop(frontier.push(leaf_hash(&entry(at)))));
                frontier.root()
            });
            let path = consistency_path(&mut tree, old, size).unwrap();
            assert_eq!(
                verify_consistency(old, &old_root, size, &root, &path),
                Ok(())
            );
        }
        assert!(matches!(
            tree.entries(size.div_ceil(256)),
            Err(ReadError::Outside { .. })
        ));
        let mut seen = 0;
        let scrubbed = scrub(size, &root, files.fetch(), |at, bytes| {
            assert_eq!((at, bytes), (seen, entry(seen).as_slice()));
            seen += 1;
        });
        assert!(scrubbed.is_sound());
        assert_eq!((seen, scrubbed.entries), (size, size));
        assert_eq!(scrubbed.files, files.0.len() as u64);
    }
    let empty = crate::merkle::empty_root();
    let nothing = Files::default();
    assert!(TileReader::open(0, &empty, nothing.fetch()).is_ok());
    assert!(TileReader::open(0, &Digest::of(b"x"), nothing.fetch()).is_err());
    assert!(scrub(0, &empty, nothing.fetch(), |_, _| {}).is_sound());
}

#[test]
fn a_full_tile_stands_in_for_a_partial_one_that_is_gone() {
    let (mut files, _) = Files::of(600);
    let (_, root) = Files::of(300);
    files
        .0
        .retain(|name, _| !name.contains(".p/") || name.starts_with("tile/1/"));
    files.0.insert(
        "tile/1/000.p/1".into(),
        files.0["tile/1/000.p/2"][..32].to_vec(),
    );
    let mut tree = TileReader::open(300, &root, files.fetch()).unwrap();
    assert_eq!(tree.entries(1).unwrap().len(), 44);
    assert!(scrub(300, &root, files.fetch(), |_, _| {}).is_sound());
}

#[test]
fn every_file_is_needed_and_no_byte_of_any_can_change() {
    let (files, root) = Files::of(600);
    for (name, bytes) in &files.0 {
        let mut cut = files.clone();
        cut.0.remove(name);
        assert!(
            !scrub(600, &root, cut.fetch(), |_, _| {}).is_sound(),
            "{name}"
        );
        assert!(!reads_whole(&cut, 600, &root), "{name}");
        for at in (0..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
            let mut flipped = files.clone();
            flipped.0.get_mut(name).unwrap()[at] ^= 1;
            let scrubbed = scrub(600, &root, flipped.fetch(), |_, _| {});
            assert!(!scrubbed.is_sound(), "{name} {at}");
            assert!(!reads_whole(&flipped, 600, &root), "{name} {at}");
            // A hash tile is named and what it should be comes along.
            if !name.contains("entries") {
                let right = Fault::Differs(name.parse().unwrap(), bytes.clone());
                assert_eq!(scrubbed.faults, [right]);
            }
        }
    }
}

#[test]
fn forged_entries_with_their_own_hashes_do_not_lead_to_the_root() {
    let (mut files, root) = Files::of(600);
    let forged: Vec<Vec<u8>> = (0..256).map(|at| entry(at + 1)).collect();
    let bundle = encode_entries(&forged).unwrap();
    let hashes = encode_hashes(&leaf_hashes(&forged));
    files.0.insert("tile/entries/000".into(), bundle);
    files.0.insert("tile/0/000".into(), hashes);
    let mut tree = TileReader::open(600, &root, files.fetch()).unwrap();
    let forged: TilePath = "tile/0/000".parse().unwrap();
    assert_eq!(tree.entries(0), Err(ReadError::Foreign(forged)));
    assert!(
        inclusion_path(&mut tree, 300, 600).is_ok(),
        "the rest reads"
    );
    assert_eq!(
        inclusion_path(&mut tree, 3, 600),
        Err(ReadError::Foreign(forged))
    );
    assert!(!scrub(600, &root, files.fetch(), |_, _| {}).is_sound());
}

fn reads_whole(files: &Files, size: u64, root: &Digest) -> bool {
    let Ok(mut tree) = TileReader::open(size, root, files.fetch()) else {
        return false;
    };
    (0..size.div_ceil(256)).all(|index| tree.entries(index).is_ok())
}

#[test]
fn a_scrub_goes_on_past_a_lost_bundle_and_ends_without_hashes() {
    let (mut files, root) = Files::of(600);
    files.0.remove("tile/entries/000");
    let found = scrub(600, &root, files.fetch(), |_, _| {});
    assert!(found.complete && !found.is_sound() && found.entries == 344);
    assert_eq!(found.faults.len(), 1);
    assert_eq!(found.faults[0].to_string(), "tile/entries/000 is missing");
    files.0.remove("tile/0/000");
    let found = scrub(600, &root, files.fetch(), |_, _| {});
    assert!(!found.complete && !found.is_sound());
    let failing = |_: &TilePath| Err::<Option<Vec<u8>>, _>("no such disk");
    let found = scrub(600, &root, failing, |_, _| {});
    assert!(found.faults[0].to_string().contains("no such disk"));
}

#[test]
fn the_reader_answers_nonsense_with_an_error() {
    use crate::merkle::HashSource as _;
    let (files, root) = Files::of(600);
    let mut tree = TileReader::open(600, &root, files.fetch()).unwrap();
    for (level, start, count) in [
        (0, 600, 1),
        (0, 511, 2),
        (1, 2, 1),
        (7, 0, 1),
        (8, 0, 1),
        (u32::MAX, u64::MAX, 1),
        (0, 0, 257),
        (0, 0, usize::MAX),
    ] {
        assert!(matches!(
            tree.hashes(level, start, count),
            Err(ReadError::Outside { .. })
        ));
    }
    assert!(tree.entries(u64::MAX).is_err());
    let other = TileReader::open(599, &root, files.fetch());
    assert!(matches!(other, Err(ReadError::Missing(_))));
    assert!(matches!(
        TileReader::open(600, &Digest::of(b"x"), files.fetch()),
        Err(ReadError::Root { size: 600, .. })
    ));
}

proptest! {
    #[test]
    fn paths_read_back(level in 0..=64_u8, index in any::<u64>(), shift in 0..64_u32, width in 1..=256_u16) {
        let level = if level > MAX_LEVEL { Level::Entries } else { Level::Hash(level) };
        let tile = TilePath { level, index: index >> shift, width };
        prop_assert_eq!(tile.path().parse(), Ok(tile));
    }

    #[test]
    fn no_two_texts_are_one_path(text in "tile/[0-9e][0-9]?/(x[0-9]{3}/)?[0-9x]{2,4}(\\.p/[0-9]{0,3})?") {
        if let Ok(tile) = text.parse::<TilePath>() {
            prop_assert_eq!(tile.path(), text);
        }
    }

    #[test]
    fn any_text_is_a_path_or_an_error(text in "\\PC{0,80}") {
        prop_assert!(text.parse::<TilePath>().is_err() || text.starts_with("tile/"));
    }

    #[test]
    fn bundles_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256), cut in any::<prop::sample::Index>()) {
        let bytes = encode_entries(&entries).unwrap();
        let width = u16::try_from(entries.len()).unwrap();
        let read = decode_entries(&bytes, width).unwrap();
        prop_assert_eq!(read, entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert!(decode_entries(&bytes[..cut.index(bytes.len())], width).is_err());
    }

    #[test]
    fn any_bytes_are_a_bundle_in_one_way_or_an_error(bytes in prop::collection::vec(0..4_u8, 0..64), width in 1..20_u16) {
        if let Ok(entries) = decode_entries(&bytes, width) {
            prop_assert_eq!(encode_entries(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn trees_in_a_census_add_up(old in 0..200_000_u64, more in 0..2000_u64) {
        let new = old + more;
        for level in [Level::Entries, Level::Hash(0), Level::Hash(1), Level::Hash(2)] {
            let widths: u64 = tiles_of(new).filter(|t| t.level == level).map(|t| u64::from(t.width)).sum();
            prop_assert_eq!(widths, count(level, new));
        }
        let before: std::collections::HashSet<_> = tiles_of(old).collect();
        let expected: Vec<_> = tiles_of(new).filter(|t| !before.contains(t)).collect();
        prop_assert_eq!(new_tiles(old, new).collect::<Vec<_>>(), expected);
    }
}
