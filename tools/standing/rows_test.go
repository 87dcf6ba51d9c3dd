package standing_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
	"poolferry/tools/standing"
)

// stream yields rows, and then an error if there is one.
func stream[Row any](err error, rows ...Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
		var none Row
		if err != nil {
			yield(none, err)
		}
	}
}

// full takes so many bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, errNoSpace
	}
	f.left -= len(p)
	return len(p), nil
}

var errNoSpace, errDamaged = errors.New("no space"), errors.New("damaged")

func TestIDMap(t *testing.T) {
	rows := []reconcile.IDRow{
		{LegacySub: "1", Sub: "a", LegacyUsername: "ada", Username: "ada", Verdict: verdict.Migrated, Reason: verdict.SignedIn, JoinedBy: "legacy_sub"},
		{LegacySub: "2", Sub: "b", Username: "<\"comma, quote\">\nand line", Verdict: verdict.Migrated, Reason: verdict.NotStaged, JoinedBy: "legacy_sub"},
	}
	var lines, table bytes.Buffer
	n, err := standing.WriteIDMap(&lines, standing.JSONL, stream(nil, rows...))
	want := `{"legacy_sub":"1","sub":"a","legacy_username":"ada","username":"ada","verdict":"migrated","reason":"signed_in","joined_by":"legacy_sub"}` + "\n"
	if err != nil || n != 2 || !strings.HasPrefix(lines.String(), want) || strings.Count(lines.String(), "\n") != 2 {
		t.Errorf("%d, %v: %s", n, err, lines.String())
	}
	n, err = standing.WriteIDMap(&table, standing.CSV, stream(nil, rows...))
	read, broken := csv.NewReader(&table).ReadAll()
	if err != nil || broken != nil || n != 2 || len(read) != 3 || !cmp.Equal(read[0], standing.IDColumns) ||
		!cmp.Equal(read[2], []string{"2", "b", "", rows[1].Username, "migrated", "not_staged", "legacy_sub"}) {
		t.Errorf("%d, %v, %v: %q", n, err, broken, read)
	}
	for _, format := range standing.Formats() {
		var out bytes.Buffer
		if n, err := standing.WriteIDMap(&out, format, stream(errDamaged, rows[0])); n != 1 || !errors.Is(err, errDamaged) || !strings.HasSuffix(out.String(), "\n") {
			t.Errorf("%s of a damaged map: %d, %v, %q", format, n, err, out.String())
		}
		if _, err := standing.WriteIDMap(&full{left: 10}, format, stream(nil, rows...)); !errors.Is(err, errNoSpace) {
			t.Errorf("%s without space: %v", format, err)
		}
	}
}

func TestPending(t *testing.T) {
	rows := []reconcile.PendingRow{
		{Sub: "1", Verdict: verdict.Pending, Reason: verdict.Disabled}, {Sub: "2", Verdict: verdict.Excluded, Reason: verdict.Federated},
		{Sub: "3", Verdict: verdict.Pending, Reason: verdict.Disabled},
	}
	var lines, text, advice bytes.Buffer
	if err := standing.WritePending(&lines, stream(nil, rows...)); err != nil || !strings.HasPrefix(lines.String(), `{"version":1,"sub":"1","verdict":"pending","reason":"disabled"}`+"\n") {
		t.Errorf("%v: %s", err, lines.String())
	}
	counts, err := standing.WritePendingText(&text, stream(errDamaged, rows...))
	if !errors.Is(err, errDamaged) || counts[verdict.Pending][verdict.Disabled] != 2 || counts[verdict.Excluded][verdict.Federated] != 1 || strings.Count(text.String(), "\n") != 3 {
		t.Errorf("%v, %v: %s", counts, err, text.String())
	}
	standing.Advise(&advice, counts)
	for _, want := range []string{"pending, disabled: 2. Disabled at the source", "Enable the user at the source", "excluded, federated: 1. "} {
		if !strings.Contains(advice.String(), want) {
			t.Errorf("no %q in %s", want, advice.String())
		}
	}
}

func TestFindings(t *testing.T) {
	var all []verdict.Finding
	for i := range 30 {
		all = append(all, verdict.NewFinding(verdict.Drift, userpool.Sub(fmt.Sprintf("drift-%d", i)), "t", "changed_before_move", "nickname"))
	}
	all = append(all, verdict.NewFinding(verdict.SchemaViolation, "violation", "", "email_missing"), verdict.NewFinding(verdict.IdentityTaken, "taken", "by", "email"))
	for most, want := range map[int][]string{
		10: {"32", "10 of 32 findings are shown", "taken", "violation", "drift-7", "drift, 30 of them (info)", "Nothing: the target has it right."},
		50: {"taken", "violation", "drift-29"},
	} {
		gathered := standing.NewFindings(most)
		for _, f := range all {
			gathered.Add(f)
		}
		var text bytes.Buffer
		if err := gathered.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, word := range want {
			if !strings.Contains(text.String(), word) {
				t.Errorf("%d shown: no %q in\n%s", most, word, text.String())
			}
		}
		if most == 10 && strings.Contains(text.String(), "drift-8 ") || strings.Count(text.String(), verdict.Drift.Advice()) != 1 ||
			strings.Index(text.String(), "taken") > strings.Index(text.String(), "violation") {
			t.Errorf("%d shown:\n%s", most, text.String())
		}
	}
	var lines bytes.Buffer
	if err := standing.WriteFindings(&lines, stream(nil, all...)); err != nil || strings.Count(lines.String(), "\n") != 32 ||
		!strings.HasPrefix(lines.String(), `{"version":1,"kind":"drift","severity":"info","source_sub":"drift-0","target_sub":"t","attributes":["nickname"],`) {
		t.Errorf("%v: %s", err, lines.String())
	}
	worst, err := standing.Identities(stream(nil, all...))
	if err != nil || len(worst) != 32 || worst[0].Kind != verdict.IdentityTaken || worst[1].Kind != verdict.SchemaViolation || worst[2].SourceSub != "drift-0" {
		t.Errorf("%v: %v", err, worst)
	}
	if _, err := standing.Identities(stream(errDamaged, all...)); !errors.Is(err, errDamaged) {
		t.Errorf("damaged: %v", err)
	}
}
