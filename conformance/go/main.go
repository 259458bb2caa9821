// Reads logs that gonogo published, with the checksum database's own code (golang.org/x/mod) and nothing of gonogo's.
//
//	logcheck DIR…
//
// Each DIR is a published log: checkpoint, log.vkey, tile/…, and optionally witness.vkey and proofs/. A DIR named
// "consistency" holds proofs OLD-NEW.proof between states of the log before it. Builds with Go 1.19 and x/mod 0.7, as in
// Debian 12. Ends with 1 at the first thing that is wrong.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// How many leaves at the beginning of a log are proved one by one, and how many changed bytes are tried for each kind of file.
const (
	eachLeaf = 2000
	changes  = 120
)

func main() {
	var last *Log
	total := Counts{}
	for _, dir := range os.Args[1:] {
		if filepath.Base(dir) == "consistency" {
			total.consistency += must(checkConsistency(last, dir))
			continue
		}
		log := must(open(dir))
		c := must(log.check())
		fmt.Printf("size %6d: root from %d bundles, %d hash tiles, %d leaves proved, %d proof files\n",
			log.tree.N, c.bundles, c.tiles, c.leaves, c.proofs)
		random := rand.New(rand.NewSource(log.tree.N))
		c.changed = must(log.change(random))
		total.add(c)
		last = log
	}
	fmt.Printf("%d logs, %d leaves, %d proof files and %d consistency proofs are good; %d of %d changed bytes were noticed\n",
		total.logs, total.leaves, total.proofs, total.consistency, total.changed, total.changed)
}

// Counts says what was looked at.
type Counts struct{ logs, bundles, tiles, leaves, proofs, consistency, changed int }

func (c *Counts) add(o Counts) {
	c.logs++
	c.leaves += o.leaves
	c.proofs += o.proofs
	c.changed += o.changed
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
	return value
}

// checkConsistency checks proofs between states of the log.
func checkConsistency(log *Log, dir string) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.proof"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("%s: no proofs", dir)
	}
	hashes := tlog.TileHashReader(log.tree, log)
	for _, file := range files {
		var old, size int64
		if _, err := fmt.Sscanf(filepath.Base(file), "%d-%d.proof", &old, &size); err != nil {
			return 0, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		proof, err := parseHashes(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %v", file, err)
		}
		oldRoot, err := tlog.TreeHash(old, hashes)
		if err != nil {
			return 0, err
		}
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(proof, size, root, old, oldRoot); err != nil {
			return 0, fmt.Errorf("%s: %v", file, err)
		}
		root[7] ^= 1
		if tlog.CheckTree(proof, size, root, old, oldRoot) == nil {
			return 0, fmt.Errorf("%s: leads to another root as well", file)
		}
	}
	return len(files), nil
}

func parseHashes(text string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if text == "" {
			break
		}
		hash, err := tlog.ParseHash(line)
		if err != nil || hash.String() != line {
			return nil, fmt.Errorf("%q is no hash", line)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
