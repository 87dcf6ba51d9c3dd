package settle_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/settle"
)

var update = flag.Bool("update", false, "write the golden file")

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

func rowsRef(key string, n int) reconcile.RowsRef {
	return reconcile.RowsRef{Stored: reconcile.Stored{Key: key, Bytes: 100, SHA256: digest}, Count: n, Format: reconcile.FormatJSONL, Of: 1}
}

// full is a state with every member.
func full() settle.State {
	again := rowsRef("settle/failed-e3b0c44298fc.jsonl.gz", 3)
	return settle.State{
		Run: runID, Updated: noon, Holder: &settle.Holder{ID: "r2", Token: "T", Since: noon, Until: noon.Add(time.Minute)},
		Through: settle.Mark{ID: "r2", Ended: noon},
		Queue:   []settle.Entry{{ID: "r1", Rows: 10, Done: 4, Object: 1, Row: 2}, {ID: "r2", Again: &again, Rows: 3}},
		Failed:  rowsRef("settle/failed-0123456789ab.jsonl.gz", 1), GivenUp: rowsRef("settle/given-up-0123456789ab.jsonl.gz", 2),
		Totals: settle.Totals{Settled: 9, Gone: 1, Changed: 8, GroupsCreated: 1, GroupsAdded: 7, GroupsRemoved: 1, Disabled: 1, SMSPreferred: 2, MFALost: 1, Unreadable: 1},
	}
}

func TestState(t *testing.T) {
	data := must(full().Encode())
	const file = "testdata/settle.json"
	if *update {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(must(os.ReadFile(file))), string(data)); diff != "" {
		t.Error(diff)
	}
	got, err := settle.DecodeState(data)
	if diff := cmp.Diff(full(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got.Left() != 9 {
		t.Errorf("%d left", got.Left())
	}
	if err := got.Of("other"); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	empty := must(settle.State{Run: runID, Updated: noon, Queue: []settle.Entry{}}.Encode())
	for _, member := range []string{"holder", "through", "failed", "given_up"} {
		if bytes.Contains(empty, []byte(`"`+member+`":`)) {
			t.Errorf("%s in %s", member, empty)
		}
	}
}

// TestStateRefuses what no step has written.
func TestStateRefuses(t *testing.T) {
	for name, change := range map[string]func(*settle.State){
		"no run":               func(s *settle.State) { s.Run = "" },
		"no queue":             func(s *settle.State) { s.Queue = nil },
		"no time":              func(s *settle.State) { s.Updated = time.Time{} },
		"a holder of nothing":  func(s *settle.State) { s.Holder.ID = "a/b" },
		"a holder without end": func(s *settle.State) { s.Holder.Until = time.Time{} },
		"a holder like others": func(s *settle.State) { s.Holder.Token = "" },
		"through nothing":      func(s *settle.State) { s.Through.ID = "" },
		"an entry of nothing":  func(s *settle.State) { s.Queue[0].ID = "" },
		"more done than there": func(s *settle.State) { s.Queue[0].Done = 11 },
		"a row not done":       func(s *settle.State) { s.Queue[0].Row = 5 },
		"an empty entry":       func(s *settle.State) { s.Queue[0].Rows, s.Queue[0].Done, s.Queue[0].Row = 0, 0, 0 },
		"other rows again":     func(s *settle.State) { s.Queue[1].Rows = 4 },
		"rows of no digest":    func(s *settle.State) { s.Failed.SHA256 = "x" },
		"rows of no count":     func(s *settle.State) { s.GivenUp.Count = 0 },
		"a CSV":                func(s *settle.State) { s.Queue[1].Again.Format = reconcile.FormatCSV },
		"a count below 0":      func(s *settle.State) { s.Totals.MFALost = -1 },
	} {
		s := full()
		change(&s)
		if data, err := s.Encode(); fault.KindOf(err) != fault.Internal || data != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	data := must(full().Encode())
	f.Add(data)
	f.Add(must(settle.State{Run: runID, Updated: noon, Queue: []settle.Entry{}}.Encode()))
	f.Add([]byte(strings.Replace(string(data), `"rows":10`, `"rows":-10`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := settle.DecodeState(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", fault.KindOf(err), err)
			}
			return
		}
		if again, err := s.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%v: %s became %s", err, data, again)
		}
		if s.Left() < 0 {
			t.Errorf("%d left", s.Left())
		}
	})
}
