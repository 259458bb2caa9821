package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Cosigner verifies C2SP cosignatures of type 04, which x/mod does not know: u64 time and an Ed25519 signature.
type Cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("a witness key has three parts")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("a witness key is of type 04")
	}
	sum := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	id := binary.BigEndian.Uint32(sum[:])
	if fmt.Sprintf("%08x", id) != parts[1] {
		return nil, errors.New("the witness key has another id")
	}
	return &Cosigner{parts[0], id, ed25519.PublicKey(key[1:])}, nil
}

// Name, KeyHash and Verify make a note.Verifier.
func (c *Cosigner) Name() string    { return c.name }
func (c *Cosigner) KeyHash() uint32 { return c.id }
func (c *Cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

// openCheckpoint verifies every signature that the keys can verify and asks for one of each key.
func openCheckpoint(text []byte, keys []note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(text, note.VerifierList(keys...))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(n.Sigs) != len(keys) || len(n.UnverifiedSigs) != 0 {
		return tlog.Tree{}, fmt.Errorf("%d known and %d unknown signatures, not %d", len(n.Sigs), len(n.UnverifiedSigs), len(keys))
	}
	// x/mod reads base64 with arbitrary unused bits; the format allows one spelling.
	again := n.Text + "\n"
	for _, sig := range n.Sigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(sig.Base64)
		if err != nil {
			return tlog.Tree{}, err
		}
		again += fmt.Sprintf("— %s %s\n", sig.Name, base64.StdEncoding.EncodeToString(raw))
	}
	if !bytes.Equal([]byte(again), text) {
		return tlog.Tree{}, errors.New("the checkpoint has another spelling")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != keys[0].Name() {
		return tlog.Tree{}, errors.New("a checkpoint has three lines, and the first is the log's name")
	}
	var size int64
	if _, err := fmt.Sscanf(lines[1], "%d", &size); err != nil || fmt.Sprint(size) != lines[1] {
		return tlog.Tree{}, errors.New("no size")
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// checkProof parses a tlog-proof and checks it for an entry.
func checkProof(text []byte, keys []note.Verifier, index int64, entry []byte) error {
	const first = "c2sp.org/tlog-proof@v1\n"
	rest := strings.TrimPrefix(string(text), first)
	if len(rest)+len(first) != len(text) {
		return errors.New("no tlog-proof")
	}
	head, checkpoint, found := strings.Cut(rest, "\n\n")
	if !found {
		return errors.New("no checkpoint in the proof")
	}
	line, hashes, _ := strings.Cut(head, "\n")
	if line != fmt.Sprintf("index %d", index) {
		return fmt.Errorf("%q is not index %d", line, index)
	}
	path, err := parseHashes(hashes)
	if err != nil {
		return err
	}
	tree, err := openCheckpoint([]byte(checkpoint), keys)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
