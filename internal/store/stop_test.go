package store_test

import (
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

func TestStopSwitch(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, runID)
	if _, err := run.ReadStop(t.Context()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("not set: %v", err)
	}
	if err := run.ClearStop(t.Context()); err != nil {
		t.Errorf("clear what is not set: %v", err)
	}
	for i, who := range []string{"ann", "bob"} { // the first stays
		if err := run.WriteStop(t.Context(), manifest.Stop{Run: runID, Stopped: noon.Add(time.Duration(i) * time.Hour), StoppedBy: who}); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := run.ReadStop(t.Context()); err != nil || s.StoppedBy != "ann" || !s.Stopped.Equal(noon) {
		t.Errorf("%+v, %v", s, err)
	}
	// Another run's is no switch of this one.
	other := store.NewRun(bucket, "other")
	if _, err := other.ReadStop(t.Context()); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	o, err := bucket.Get(t.Context(), "runs/"+runID+"/stop.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "runs/other/stop.json", o.Body, store.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.ReadStop(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a foreign switch: %v", err)
	}
	if err := run.ClearStop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := run.ReadStop(t.Context()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("cleared: %v", err)
	}
}

func TestDeletePart(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	h := manifest.NewCheckpoint(g.Origin, all, noon).NextPart()
	ref := stage(t, run, h, person("s-1"))
	for range 2 { // the second finds nothing, which is no error
		if err := run.DeletePart(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range run.ReadProfiles(t.Context(), h, ref) {
		if fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
	}
}
