package tail

import (
	"context"
	"crypto/rand"
	"iter"
	"testing"

	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// unverified are users of whom none can be imported.
type unverified int

func (n unverified) Buckets(context.Context) (int, error) { return 1, nil }

func (n unverified) Users(context.Context, int) iter.Seq2[reconcile.PendingUser, error] {
	return func(yield func(reconcile.PendingUser, error) bool) {
		for range n {
			u := reconcile.PendingUser{User: userpool.User{Username: "ann"}}
			u.Sub, u.Verdict, u.Reason = userpool.Sub("~"+rand.Text()+rand.Text()+rand.Text()+rand.Text()), verdict.Pending, verdict.NotSignedIn
			u.User.Sub = u.Sub
			if !yield(u, nil) {
				return
			}
		}
	}
}

// TestManyAreRefused: however many cannot be imported, what says so is no larger
// than any object of ours may be.
func TestManyAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("refuses a million users")
	}
	p := Plan{Choice: Choice{Import: []verdict.Reason{verdict.NotSignedIn}}, Limits: DefaultLimits()}
	p.Target.Header = []string{columnUsername, columnMFA, userpool.AttrLegacySub}
	d := newDraft(p)
	next, err := (&Tail{}).fillFrom(t.Context(), p, d, unverified(1_000_000), Cursor{})
	if err != nil || next == nil || next.Sub == "" {
		t.Errorf("%+v, %v", next, err)
	}
	data, err := d.refused.close()
	if err != nil || len(data) > manifest.MaxBytes || len(d.why) == 0 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
