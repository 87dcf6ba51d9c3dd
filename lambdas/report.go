package lambdas

import (
	"bytes"
	"context"
	"time"

	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/report"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
)

// reporter makes the report of a run.
type reporter struct {
	cfg     *config.Config
	seeding *seeding.Seeding // is asked where it stands, and nothing else: it reaches no pool
	now     func() time.Time
}

var _ reconcile.Publisher = (*reporter)(nil)

func newReporter(cfg *config.Config, run *store.Run, now func() time.Time) *reporter {
	return &reporter{cfg: cfg, seeding: seeding.New(seeding.Options{Run: cfg.Run, Store: run, Now: now}), now: now}
}

// Publish implements reconcile.Publisher. The page holds no ids of users.
func (r *reporter) Publish(ctx context.Context, s reconcile.Summary, h progress.History) ([]byte, error) {
	status, err := r.seeding.Status(ctx, 0)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	var page bytes.Buffer
	err = report.Render(&page, ReportView(r.cfg, &s, h, status, r.now()))
	return page.Bytes(), err
}

// ReportView is what a report of a run is made of. summary is that of the latest
// reconciliation, nil where there is none; status is the zero value where
// nothing was seeded.
func ReportView(cfg *config.Config, summary *reconcile.Summary, h progress.History, status seeding.Status, now time.Time) report.View {
	v := report.View{
		Now: now.UTC(), Run: cfg.Run, Source: sourcePool(cfg), Target: targetPool(cfg),
		History: h, Forecast: forecast.From(h.Points, now),
		Seeding: report.Seeding{
			Generation: status.Generation, Opened: status.Opened, Profiles: status.Profiles, Estimate: status.Estimate,
			Shards: len(status.Shards), Committed: status.Committed,
			Stale: status.Done && now.Sub(status.Opened) > time.Duration(cfg.Reconcile.StaleAfterHours)*time.Hour,
		},
	}
	if status.Done {
		v.Seeding.Closed = status.Updated
	}
	for _, shard := range status.Failed {
		v.Seeding.Failed = append(v.Seeding.Failed, report.FailedShard{Shard: shard.Shard, Reason: shard.Reason})
	}
	// The view wants the reasons of a reconciliation that counted everything.
	if summary != nil && summary.Failure == "" && len(summary.Partial) == 0 {
		v.Reasons = summary.Reasons
	}
	return v
}
