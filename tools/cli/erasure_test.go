package cli_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/reconcile"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/store"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// deletes deletes a user as an administrator does.
func deletes(t *testing.T, w *rehearsal.World, region, pool, username string, as iam.Credentials) {
	t.Helper()
	api := cip.New(cip.Options{
		Region: region, BaseEndpoint: aws.String(w.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey.Reveal(), as.SessionToken.Reveal()),
	})
	if _, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &pool, Username: &username}); err != nil {
		t.Fatal(err)
	}
}

// erased is as much of forget --json as the test looks at.
type erased struct {
	Version   int
	SubSHA256 string `json:"sub_sha256"`
	Ended     string
	Lines     *int
	Searched  struct{ Objects, Versions, Bytes int }
	Traces    []struct{ Key, What string }
}

// mistyped is said where there was nobody to be forgotten.
const mistyped = "Nothing of the run was about this sub"

func TestForgetAndPurge(t *testing.T) {
	o, w := newMigration(t, 3*len(crowd.Kinds()))
	o.types("purge --yes --run rehearsal", cli.ExitNoRun, "has nothing in bucket")
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	signsIn(t, w, crowd.Plain)
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	var moved reconcile.IDRow
	for _, row := range rowsOf[reconcile.IDRow](t, o.types("reconcile idmap", cli.ExitDone)) {
		moved = row
	}
	sub := string(moved.LegacySub)

	o.types("forget", cli.ExitUsage, "accepts 1 arg")
	o.types("forget a/b --yes", cli.ExitUsage, "is no sub")
	o.types("forget "+sub, cli.ExitUsage, "there is no terminal to ask at")
	o.types("forget "+sub+" --yes --username x", cli.ExitUsage, "are for --check")
	before := object[erased](t, o.types("forget --check "+sub+" --json", cli.ExitFindings))
	if before.Version != 1 || len(before.Traces) < 5 || before.Ended != "" {
		t.Errorf("before: %+v", before)
	}
	o.types("forget --check "+sub, cli.ExitFindings, "left          5 traces", "gen-1/shards/", "(old version ")
	o.types("forget --check 00000000-0000-4000-8000-000000000000", cli.ExitDone, "none: run rehearsal was never told", "none found")
	o.types("forget "+sub+" --yes", cli.ExitFailed, "still in the source pool", "Nothing was changed")
	deletes(t, w, w.Source.Region, w.Source.PoolID, moved.LegacyUsername, w.Source.Administrator)
	o.types("forget "+sub+" --yes", cli.ExitFailed, "still in the target pool, as user "+string(moved.Sub), "Delete the user of the target pool")
	deletes(t, w, w.Target.Region, w.Target.PoolID, moved.Username, w.Target.Administrator)

	run := store.NewRun(o.bucket, "rehearsal")
	lease, tag, err := run.ReadLease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := lease
	held.ID, held.Released, held.Until = "other", time.Time{}, time.Now().Add(time.Minute).UTC()
	if tag, err = run.SwapLease(t.Context(), held, tag); err != nil {
		t.Fatal(err)
	}
	o.types("forget "+sub+" --yes", cli.ExitLeaseHeld, "other is at work since")
	o.types("purge --yes --run rehearsal --before-cutover", cli.ExitLeaseHeld, "other is at work since")
	if _, err := run.SwapLease(t.Context(), lease, tag); err != nil {
		t.Fatal(err)
	}

	done := object[erased](t, o.types("forget "+sub+" --yes --json", cli.ExitDone, "There is no way back", "poolferry reconcile run"))
	if done.Lines == nil || *done.Lines == 0 || done.Ended == "" || done.Searched.Versions == 0 || len(done.Traces) > 0 || len(done.SubSHA256) != 64 {
		t.Errorf("%+v", done)
	}
	o.types("forget --check "+sub+" --target-sub "+string(moved.Sub)+" --username "+moved.LegacyUsername+" --username "+moved.Username, cli.ExitDone, "none found", done.SubSHA256)
	o.types("manifest verify", cli.ExitDone)
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	if jsonl := o.types("reconcile idmap", cli.ExitDone); strings.Contains(jsonl, sub) || jsonl == "" {
		t.Errorf("the id map: %s", jsonl)
	}
	records, err := csv.NewReader(strings.NewReader(o.types("reconcile idmap --format csv", cli.ExitDone))).ReadAll()
	if err != nil || len(records) < 2 {
		t.Errorf("the id map has %d records, %v", len(records), err)
	}
	for _, record := range records {
		if record[0] == sub || record[1] == string(moved.Sub) {
			t.Errorf("%q", record)
		}
	}
	o.types("forget --check "+sub, cli.ExitDone, "none found")
	if again := o.types("forget "+sub+" --yes", cli.ExitDone, "0 lines of the manifest"); strings.Contains(again, mistyped) {
		t.Error(again)
	}
	o.types("forget "+sub+"0 --yes", cli.ExitDone, "0 lines of the manifest", mistyped)

	o.types("purge", cli.ExitUsage, "there is no terminal to ask at")
	o.types("purge --yes", cli.ExitUsage, "Add --run")
	o.types("purge --yes --run other", cli.ExitUsage, `"other" is not the run "rehearsal"`)
	o.types("purge --yes --run rehearsal", cli.ExitFailed, "was not cut over", "--before-cutover")
	receipt := object[struct {
		Version int
		CutOver bool `json:"cut_over"`
		Ended   time.Time
		Total   struct{ Objects, Versions int }
		Keys    []string `json:"encryption_keys"`
		Kept    []string
	}](t, o.types("purge --yes --run rehearsal --before-cutover --json", cli.ExitDone, "gen-G/shards/S/A/part-N-D.jsonl.gz", "in all"))
	if receipt.Version != 1 || receipt.CutOver || receipt.Ended.IsZero() || receipt.Total.Objects < 20 || receipt.Total.Versions < receipt.Total.Objects ||
		len(receipt.Keys) != 1 || !strings.HasPrefix(receipt.Keys[0], "arn:aws:kms:") {
		t.Errorf("%+v", receipt)
	}
	o.types("purge --yes --run rehearsal --before-cutover", cli.ExitDone, "there is nothing left to delete", "none found")
	for entry, err := range o.bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if key := strings.TrimPrefix(entry.Key, "runs/rehearsal/"); key != "progress.json" && !strings.HasPrefix(key, "forgotten/") && !strings.HasPrefix(key, "purged/") {
			t.Errorf("left: %s", key)
		}
	}
	o.types("status", cli.ExitRunning, "nothing is staged") // the history stays
	o.types("manifest verify", cli.ExitNoRun)
}
