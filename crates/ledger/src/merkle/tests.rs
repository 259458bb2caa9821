//! The tree against published vectors and against the recursive definition of RFC 6962, written down naively.

use proptest::prelude::*;

use super::*;

struct Memory(Vec<Vec<Digest>>);

impl Memory {
    fn of(leaves: &[Digest]) -> (Self, Frontier) {
        let mut stored = vec![leaves.to_vec()];
        let mut frontier = Frontier::default();
        for leaf in leaves {
            for node in frontier.push(*leaf) {
                let level = node.level as usize;
                stored.resize(stored.len().max(level + 1), Vec::new());
                assert_eq!(stored[level].len() as u64, node.index);
                stored[level].push(node.hash);
            }
        }
        (Self(stored), frontier)
    }
}

impl HashSource for Memory {
    type Error = std::convert::Infallible;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Self::Error> {
        let start = start as usize;
        assert_eq!(start / 256, (start + count - 1) / 256, "one tile only");
        Ok(self.0[level as usize][start..start + count].to_vec())
    }
}

fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let k = more.len().next_power_of_two() / 2;
            node_hash(&naive_root(&more[..k]), &naive_root(&more[k..]))
        }
    }
}

fn naive_path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = if index < k {
        (naive_path(index, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (
            naive_path(index - k, &leaves[k..]),
            naive_root(&leaves[..k]),
        )
    };
    path.push(other);
    path
}

fn leaves(n: usize) -> Vec<Digest> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

#[test]
fn roots_match_the_certificate_transparency_vectors() {
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(
        frontier.root().hex(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (entry, root) in entries.iter().zip(roots) {
        frontier.push(leaf_hash(&hex::decode(entry).unwrap()));
        assert_eq!(frontier.root().hex(), root);
    }
}

#[test]
fn every_small_tree_agrees_with_the_definition() {
    let all = leaves(70);
    for size in 0..=all.len() {
        let tree = &all[..size];
        let (mut source, frontier) = Memory::of(tree);
        let root = naive_root(tree);
        assert_eq!(frontier.root(), root);
        assert_eq!(tree_root(&mut source, size as u64), Ok(root));
        for index in 0..size {
            let path = inclusion_path(&mut source, index as u64, size as u64).unwrap();
            assert_eq!(path, naive_path(index, tree));
            let (index, size) = (index as u64, size as u64);
            assert_eq!(
                verify_inclusion(&tree[index as usize], index, size, &path, &root),
                Ok(())
            );
            for wrong in 0..=size {
                let verdict = verify_inclusion(&tree[index as usize], wrong, size, &path, &root);
                assert_eq!(verdict.is_ok(), wrong == index);
            }
        }
        for old in 0..=size {
            let old_root = naive_root(&tree[..old]);
            let path = consistency_path(&mut source, old as u64, size as u64).unwrap();
            let (old, size) = (old as u64, size as u64);
            assert_eq!(
                verify_consistency(old, &old_root, size, &root, &path),
                Ok(())
            );
            if old > 0 && old < size {
                let other = Digest::of(b"other");
                assert!(verify_consistency(old, &other, size, &root, &path).is_err());
                assert!(verify_consistency(old, &old_root, size, &other, &path).is_err());
                assert!(verify_consistency(old + 1, &old_root, size, &root, &path).is_err());
            }
        }
    }
}

#[test]
fn the_empty_tree_has_one_root_and_everything_extends_it() {
    let (empty, other) = (empty_root(), Digest::of(b"other"));
    for (old_root, new, new_root, path, good) in [
        (&empty, 0, &empty, &[][..], true),
        (&empty, 5, &other, &[], true),
        (&empty, 0, &other, &[], false),
        (&other, 0, &other, &[], false),
        (&other, 5, &other, &[], false),
        (&empty, 5, &other, &[other], false),
        (&empty, 0, &empty, &[other], false),
    ] {
        let verdict = verify_consistency(0, old_root, new, new_root, path);
        assert_eq!(verdict.is_ok(), good, "{old_root} {new} {new_root}");
    }
}

#[test]
fn paths_read_back_and_have_one_spelling() {
    let path: Vec<Digest> = (0..64_u8).map(|at| Digest::of(&[at])).collect();
    for length in [0, 1, 63, 64] {
        let text = path_to_text(&path[..length]);
        assert_eq!(path_from_text(&text).as_deref(), Ok(&path[..length]));
    }
    let text = path_to_text(&path[..2]);
    for bad in [
        "\n".to_owned(),
        text.replace('\n', "\r\n"),
        text[..text.len() - 1].to_owned(),
        format!("{text}\n"),
        text.replacen('=', "", 1),
        path_to_text(&path) + &text,
    ] {
        assert!(path_from_text(&bad).is_err(), "{bad:?}");
    }
    // The last digit of 32 bytes has two unused bits, which are zero.
    let line = path_to_text(&[Digest::from_bytes([0; 32])]);
    assert!(path_from_text(&line.replace("A=", "B=")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn large_trees_agree_with_the_definition(size in 200usize..1400, a in any::<u32>(), b in any::<u32>(), flip in any::<u8>()) {
        let all = leaves(size);
        let (mut source, frontier) = Memory::of(&all);
        let root = naive_root(&all);
        prop_assert_eq!(frontier.root(), root);
        let restored = Frontier::restore(size as u64, frontier.peaks().to_vec());
        prop_assert_eq!(restored, Some(frontier));
        let (index, size64) = (u64::from(a) % size as u64, size as u64);
        let mut path = inclusion_path(&mut source, index, size64).unwrap();
        prop_assert_eq!(&path, &naive_path(index as usize, &all));
        prop_assert!(verify_inclusion(&all[index as usize], index, size64, &path, &root).is_ok());
        let old = 1 + u64::from(b) % (size64 - 1);
        let proof = consistency_path(&mut source, old, size64).unwrap();
        let old_root = naive_root(&all[..old as usize]);
        prop_assert_eq!(tree_root(&mut source, old), Ok(old_root));
        prop_assert!(verify_consistency(old, &old_root, size64, &root, &proof).is_ok());
        let spoilt = usize::from(flip) % path.len();
        let mut bytes = *path[spoilt].as_bytes();
        bytes[usize::from(flip) % 32] ^= 1;
        path[spoilt] = Digest::from_bytes(bytes);
        prop_assert!(verify_inclusion(&all[index as usize], index, size64, &path, &root).is_err());
        path.pop();
        prop_assert!(verify_inclusion(&all[index as usize], index, size64, &path, &root).is_err());
    }
}

#[test]
fn a_path_beside_another_is_the_same_path() {
    let leaves: Vec<Digest> = (0..70_u32).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    for size in [1, 2, 3, 7, 8, 33, 64, 70] {
        let (mut memory, _) = Memory::of(&leaves[..size]);
        for index in 0..size as u64 {
            let want = inclusion_path(&mut memory, index, size as u64).unwrap();
            for other in 0..size as u64 {
                let path = inclusion_path(&mut memory, other, size as u64).unwrap();
                let known = Some((other, &path[..]));
                let got = inclusion_path_beside(&mut memory, index, size as u64, known).unwrap();
                assert_eq!(got, want, "{index} beside {other} of {size}");
            }
        }
    }
}
