package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Log is a published log with all its files in memory, by their paths.
type Log struct {
	dir   string
	files map[string][]byte
	keys  []note.Verifier
	tree  tlog.Tree
}

func open(dir string) (*Log, error) {
	log := &Log{dir: dir, files: map[string][]byte{}}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		log.files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(log.files["log.vkey"])))
	if err != nil {
		return nil, err
	}
	log.keys = []note.Verifier{key}
	if vkey, found := log.files["witness.vkey"]; found {
		witness, err := newCosigner(strings.TrimSpace(string(vkey)))
		if err != nil {
			return nil, err
		}
		log.keys = append(log.keys, witness)
	}
	log.tree, err = openCheckpoint(log.files["checkpoint"], log.keys)
	return log, err
}

// path is the name of a tile as C2SP has it: x/mod's without the height, and with "entries" for "data".
func path(tile tlog.Tile) string {
	name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(name, "tile/data/", "tile/entries/", 1)
}

// Height, ReadTiles and SaveTiles make a tlog.TileReader.
func (log *Log) Height() int { return 8 }
func (log *Log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, ok := log.files[path(tile)]
		if !ok {
			return nil, fmt.Errorf("%s/%s is missing", log.dir, path(tile))
		}
		found = append(found, data)
	}
	return found, nil
}
func (log *Log) SaveTiles([]tlog.Tile, [][]byte) {}

// bundle is the path of the bundle with an entry, and the entry's place in it.
func (log *Log) bundle(index int64) (string, int) {
	n, width := index/256, int64(256)
	if (n+1)*256 > log.tree.N {
		width = log.tree.N - n*256
	}
	return path(tlog.Tile{H: 8, L: -1, N: n, W: int(width)}), int(index % 256)
}

func split(bundle []byte, width int) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return nil, errors.New("the bundle is cut short")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		entries = append(entries, bundle[2:end])
		bundle = bundle[end:]
	}
	if len(entries) != width {
		return nil, fmt.Errorf("%d entries, not %d", len(entries), width)
	}
	return entries, nil
}

// stored keeps all hashes of a tree.
type stored []tlog.Hash

// ReadHashes makes a tlog.HashReader.
func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, s[index])
	}
	return found, nil
}

// check recomputes everything from the entries, then proves leaves out of the tiles, then reads the proof files.
func (log *Log) check() (Counts, error) {
	var c Counts
	var hashes stored
	var entries [][]byte
	known := map[string]bool{}
	for first := int64(0); first < log.tree.N; first += 256 {
		name, _ := log.bundle(first)
		width := log.tree.N - first
		if width > 256 {
			width = 256
		}
		held, err := split(log.files[name], int(width))
		if err != nil {
			return c, fmt.Errorf("%s: %v", name, err)
		}
		for _, entry := range held {
			more, err := tlog.StoredHashes(int64(len(entries)), entry, hashes)
			if err != nil {
				return c, err
			}
			hashes = append(hashes, more...)
			entries = append(entries, entry)
		}
		known[name] = true
		c.bundles++
	}
	root, err := tlog.TreeHash(log.tree.N, hashes)
	if err != nil || root != log.tree.Hash {
		return c, fmt.Errorf("%s: the entries give root %v (%v), the checkpoint says %v", log.dir, root, err, log.tree.Hash)
	}
	for _, tile := range tlog.NewTiles(8, 0, log.tree.N) {
		data, err := tlog.ReadTileData(tile, hashes)
		if err != nil || !bytes.Equal(data, log.files[path(tile)]) {
			return c, fmt.Errorf("%s/%s is not what the entries give (%v)", log.dir, path(tile), err)
		}
		known[path(tile)] = true
		c.tiles++
	}
	reader := tlog.TileHashReader(log.tree, log)
	if root, err = tlog.TreeHash(log.tree.N, reader); err != nil || root != log.tree.Hash {
		return c, fmt.Errorf("%s: the tiles give root %v (%v)", log.dir, root, err)
	}
	for index := int64(0); index < log.tree.N && index < eachLeaf; index++ {
		proof, err := tlog.ProveRecord(log.tree.N, index, reader)
		if err != nil {
			return c, err
		}
		if err := tlog.CheckRecord(proof, log.tree.N, log.tree.Hash, index, tlog.RecordHash(entries[index])); err != nil {
			return c, fmt.Errorf("%s: leaf %d: %v", log.dir, index, err)
		}
		c.leaves++
	}
	for name, text := range log.files {
		var index int64
		if n, _ := fmt.Sscanf(name, "proofs/%d.tlog-proof", &index); n == 1 {
			if err := checkProof(text, log.keys, index, entries[index]); err != nil {
				return c, fmt.Errorf("%s/%s: %v", log.dir, name, err)
			}
			c.proofs++
		} else if strings.HasPrefix(name, "tile/") && !known[name] && !strings.Contains(name, ".p/") {
			// Narrower tiles of older states may stay; a full one too many may not.
			return c, fmt.Errorf("%s/%s does not belong to this tree", log.dir, name)
		}
	}
	return c, nil
}

// change flips bits of copies; each change must be noticed by reading what it changed. Returns how many were.
func (log *Log) change(random *rand.Rand) (int, error) {
	kinds := map[string]func(name string, at int, changed []byte) error{
		"checkpoint": func(_ string, _ int, changed []byte) error {
			_, err := openCheckpoint(changed, log.keys)
			return err
		},
		"proofs/": func(name string, _ int, changed []byte) error {
			var index int64
			fmt.Sscanf(name, "proofs/%d.tlog-proof", &index)
			entry, err := log.entry(index)
			if err != nil {
				return err
			}
			return checkProof(changed, log.keys, index, entry)
		},
		"tile/entries/": func(name string, at int, changed []byte) error {
			first, width := place(name)
			entries, err := split(changed, width)
			if err != nil {
				return err
			}
			return log.compare(first, entries)
		},
		"tile/": func(name string, at int, changed []byte) error {
			tile, err := tlog.ParseTilePath(strings.Replace(name, "tile/", "tile/8/", 1))
			if err != nil {
				return err
			}
			other := *log
			other.files = map[string][]byte{name: changed}
			for key, data := range log.files {
				if key != name {
					other.files[key] = data
				}
			}
			return other.proveBeside(tile, int64(at/32))
		},
	}
	noticed := 0
	for kind, read := range kinds {
		var names []string
		for name := range log.files {
			bundle := strings.HasPrefix(name, "tile/entries/")
			if strings.HasPrefix(name, kind) && (kind != "tile/" || !bundle) && log.belongs(name) {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		for n := 0; n < changes && len(names) > 0; n++ {
			name := names[random.Intn(len(names))]
			changed := append([]byte(nil), log.files[name]...)
			at := random.Intn(len(changed))
			changed[at] ^= 1 << random.Intn(8)
			if read(name, at, changed) == nil {
				return noticed, fmt.Errorf("%s/%s with byte %d changed is still good", log.dir, name, at)
			}
			noticed++
		}
	}
	return noticed, nil
}

// proveBeside proves a leaf whose path holds a hash of a tile: the first leaf of the hash's sibling. It does not rely on
// TileHashReader alone: older ones (0.33 does, 0.42 does not) leave tiles unchecked in trees whose right edge has many hashes.
func (log *Log) proveBeside(tile tlog.Tile, n int64) error {
	leaf := ((tile.N*256 + n) ^ 1) << (8 * tile.L)
	if leaf >= log.tree.N {
		// There is no sibling: the root is made of the hash itself.
		root, err := tlog.TreeHash(log.tree.N, tlog.TileHashReader(log.tree, log))
		if err == nil && root != log.tree.Hash {
			err = errors.New("another root")
		}
		return err
	}
	entry, err := log.entry(leaf)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(log.tree.N, leaf, tlog.TileHashReader(log.tree, log))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, log.tree.N, log.tree.Hash, leaf, tlog.RecordHash(entry))
}

// belongs says whether a tile is one of this tree's, and not of an older state.
func (log *Log) belongs(name string) bool {
	if !strings.Contains(name, ".p/") {
		return true
	}
	if strings.HasPrefix(name, "tile/entries/") {
		first, _ := place(name)
		now, _ := log.bundle(first)
		return now == name
	}
	for _, tile := range tlog.NewTiles(8, 0, log.tree.N) {
		if path(tile) == name {
			return true
		}
	}
	return false
}

func place(name string) (first int64, width int) {
	theirs := strings.Replace(name, "tile/entries/", "tile/8/data/", 1)
	tile, err := tlog.ParseTilePath(theirs)
	if err != nil {
		return 0, 0
	}
	return tile.N * 256, tile.W
}

func (log *Log) entry(index int64) ([]byte, error) {
	name, at := log.bundle(index)
	_, width := place(name)
	entries, err := split(log.files[name], width)
	if err != nil {
		return nil, err
	}
	return entries[at], nil
}

// compare holds entries against the leaf hashes of the tiles.
func (log *Log) compare(first int64, entries [][]byte) error {
	var indexes []int64
	for n := range entries {
		indexes = append(indexes, tlog.StoredHashIndex(0, first+int64(n)))
	}
	leaves, err := tlog.TileHashReader(log.tree, log).ReadHashes(indexes)
	if err != nil {
		return err
	}
	for n, entry := range entries {
		if tlog.RecordHash(entry) != leaves[n] {
			return fmt.Errorf("entry %d is not the leaf", first+int64(n))
		}
	}
	return nil
}
