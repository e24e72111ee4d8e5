// A client of the audit log in another language and with the Go checksum database's own packages: it shares no code with
// the product, knows an address and a public key, and says what it found.
//
//	log_client -log http://127.0.0.1:8080 -key audit.example+0a1b2c3d+... [-trail trail.jsonl] [-from 5]
//
// It opens the checkpoint, reads every entry bundle and every tile through the tiles' own consistency check, proves each
// leaf under the root, proves that the log extends its first leaves, checks every proof of a trail, and at last has
// tessera's fsck go over the whole log.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height     = 8
	leafBytes  = 32
	fsckLimit  = 2 * time.Minute
	fsckReader = 4
)

func main() {
	address := flag.String("log", "", "where the services answer")
	key := flag.String("key", "", "the log's public key")
	trail := flag.String("trail", "", "a trail whose proofs are checked too")
	from := flag.Int64("from", 1, "an earlier size that the log must extend")
	flag.Parse()
	if err := check(*address+"/log", *key, *trail, *from); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(prefix, key, trail string, from int64) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return fmt.Errorf("the key: %w", err)
	}
	checkpoint, err := get(prefix + "/checkpoint")
	if err != nil {
		return err
	}
	tree, err := open(checkpoint, verifier)
	if err != nil {
		return err
	}
	tiles := &reader{prefix: prefix}
	hashes := tlog.TileHashReader(tree, tiles)
	leaves, err := tiles.leaves(tree.N)
	if err != nil {
		return err
	}
	for number, leaf := range leaves {
		hash := tlog.RecordHash(leaf)
		proof, err := tlog.ProveRecord(tree.N, int64(number), hashes)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", number, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(number), hash); err != nil {
			return fmt.Errorf("leaf %d: %w", number, err)
		}
	}
	if err := extends(prefix, tree, from, hashes); err != nil {
		return err
	}
	events := 0
	if trail != "" {
		if events, err = checkTrail(trail, verifier, leaves); err != nil {
			return err
		}
	}
	if err := fsckAll(prefix, verifier); err != nil {
		return err
	}
	fmt.Printf("{\"leaves\":%d,\"events\":%d,\"fsck\":true}\n", tree.N, events)
	return nil
}

func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	var tree tlog.Tree
	if _, err := fmt.Sscanf(lines[1], "%d", &tree.N); err != nil {
		return tree, fmt.Errorf("the checkpoint's size: %w", err)
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// extends proves from the tiles that the log begins with its first leaves, and that the service's own proof says so too.
func extends(prefix string, tree tlog.Tree, from int64, hashes tlog.HashReader) error {
	earlier, err := tlog.TreeHash(from, hashes)
	if err != nil {
		return fmt.Errorf("the first %d leaves: %w", from, err)
	}
	page := strings.TrimSuffix(prefix, "/log") + fmt.Sprintf("/v1/log/consistency?from=%d&to=%d", from, tree.N)
	answer, err := get(page)
	if err != nil {
		return err
	}
	var told struct{ Proof []string }
	if err := json.Unmarshal(answer, &told); err != nil {
		return err
	}
	var proof tlog.TreeProof
	for _, text := range told.Proof {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	if from == tree.N {
		return nil
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, from, earlier)
}

// checkTrail proves each event of a trail under the trail's own checkpoint, and finds its leaf in the log.
func checkTrail(path string, verifier note.Verifier, leaves [][]byte) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	var tree tlog.Tree
	events := 0
	for lines.Scan() {
		var line struct {
			Trail *struct{ Checkpoint string }
			Event *struct {
				Leaf  int64
				Proof []string
			}
			Seal string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return events, err
		}
		switch {
		case line.Trail != nil:
			if tree, err = open([]byte(line.Trail.Checkpoint), verifier); err != nil {
				return events, err
			}
		case line.Event != nil:
			var proof tlog.RecordProof
			for _, text := range line.Event.Proof {
				hash, err := tlog.ParseHash(text)
				if err != nil {
					return events, err
				}
				proof = append(proof, hash)
			}
			hash := tlog.RecordHash(leaves[line.Event.Leaf])
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, line.Event.Leaf, hash); err != nil {
				return events, fmt.Errorf("the event of leaf %d: %w", line.Event.Leaf, err)
			}
			events++
		case line.Seal != "":
			if _, err := note.Open([]byte(line.Seal), note.VerifierList(verifier)); err != nil {
				return events, fmt.Errorf("the seal: %w", err)
			}
		}
	}
	return events, lines.Err()
}

func fsckAll(prefix string, verifier note.Verifier) error {
	root, err := url.Parse(prefix + "/")
	if err != nil {
		return err
	}
	fetcher, err := client.NewHTTPFetcher(root, http.DefaultClient)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.Background(), fsckLimit)
	defer cancel()
	hashes := func(bundle []byte) ([][]byte, error) {
		entries, err := split(bundle)
		if err != nil {
			return nil, err
		}
		all := make([][]byte, 0, len(entries))
		for _, entry := range entries {
			all = append(all, rfc6962.DefaultHasher.HashLeaf(entry))
		}
		return all, nil
	}
	return fsck.New(verifier.Name(), verifier, fetcher, hashes, fsck.Opts{N: fsckReader}).Check(limited)
}

// split takes an entry bundle apart: each entry after its length, two bytes, big endian.
func split(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, fmt.Errorf("an entry bundle ends early")
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if length != leafBytes || len(bundle) < 2+length {
			return nil, fmt.Errorf("an entry of %d bytes", length)
		}
		entries = append(entries, bundle[2:2+length])
		bundle = bundle[2+length:]
	}
	return entries, nil
}

// reader gives the tiles as C2SP tlog-tiles lays them out: as the checksum database does, but for the height.
type reader struct{ prefix string }

func (r *reader) Height() int { return height }

func (r *reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		bytes, err := get(r.prefix + "/" + path(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (r *reader) leaves(size int64) ([][]byte, error) {
	var leaves [][]byte
	for _, tile := range tlog.NewTiles(height, 0, size) {
		if tile.L != 0 {
			continue
		}
		bundle, err := get(r.prefix + "/" + strings.Replace(path(tile), "tile/0/", "tile/entries/", 1))
		if err != nil {
			return nil, err
		}
		entries, err := split(bundle)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, entries...)
	}
	if int64(len(leaves)) != size {
		return nil, fmt.Errorf("%d leaves of %d", len(leaves), size)
	}
	return leaves, nil
}

func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

func get(address string) ([]byte, error) {
	answer, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

