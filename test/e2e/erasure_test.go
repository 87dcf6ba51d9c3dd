package e2e_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"poolferry/internal/cognito"
	"poolferry/internal/reconcile/verdict"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// mentions reports whether a text says who somebody is: by sub, as words or bytes,
// by address or by username.
func mentions(content []byte, name string) bool {
	sub := string(subOf(name))
	raw, _ := hex.DecodeString(strings.ReplaceAll(sub, "-", "")) // as subOf makes it
	for _, word := range []string{sub, string(raw), name + "@example.com", `"` + name + `"`} {
		if bytes.Contains(content, []byte(word)) {
			return true
		}
	}
	return false
}

// searched fails where anything in the bucket, unpacked, says who somebody is.
func (m *migration) searched(names ...string) {
	m.t.Helper()
	files, err := m.Dump()
	if err != nil {
		m.t.Fatal(err)
	}
	for file, content := range files {
		for _, name := range names {
			if strings.HasPrefix(file, "s3/") && mentions(content, name) {
				m.t.Errorf("%s says who %s is", file, name)
			}
		}
	}
}

// versions are the keys of all versions in the bucket that are not the latest,
// delete markers included, and of those that are.
func (m *migration) versions() (old, latest []string) {
	m.t.Helper()
	as := m.Target.Administrator
	client := s3.New(s3.Options{
		Region: m.Target.Region, BaseEndpoint: &m.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey.Reveal(), ""),
	})
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &m.Config.Staging.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(m.t.Context())
		if err != nil {
			m.t.Fatal(err)
		}
		for _, marker := range page.DeleteMarkers {
			old = append(old, *marker.Key)
		}
		for _, v := range page.Versions {
			if *v.IsLatest {
				latest = append(latest, *v.Key)
			} else {
				old = append(old, *v.Key)
			}
		}
	}
	return old, latest
}

// TestForget: somebody was pending, imported, has come back, was settled, and has a
// finding to their name; then they are forgotten. Nothing says their name any
// more, and all goes on without them.
func TestForget(t *testing.T) {
	t.Parallel()
	everybody := append(left(4), person("frida", inGroups("members")), person("ann", inGroups("members")), person("ben"))
	m := staged(t, rehearsal.Options{}, everybody...)
	m.moves("ann")
	m.plans()
	if sum := m.imported(); sum.Imported != 6 || sum.Skipped != 1 {
		t.Errorf("%+v", sum)
	}
	m.reconciles()
	m.resets("frida")
	// At the target alone, which is a finding.
	_, err := administrator(m.Target, m.Endpoint).AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &m.Target.PoolID, Username: aws.String("frida")})
	if err != nil {
		t.Fatal(err)
	}
	m.reconciles()
	target := m.here()[subOf("frida")].Sub
	// She is in all that there is about anybody.
	want := []string{"/gen-1/shards/", "/gen-1/index-", "/pending/", "/idmap/", "/findings/", "/settle/", "/tail/tail-1/csv/", "/tail/tail-1/lines/", "/tail/tail-1/results/", "/imports/"}
	files, err := m.Dump()
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range files {
		if mentions(content, "frida") {
			want = slices.DeleteFunc(want, func(folder string) bool { return strings.Contains(file, folder) })
		}
	}
	if len(want) > 0 {
		t.Errorf("who is to be forgotten was not in %v", want)
	}
	if err := m.registers("stranger", "frida@example.com"); cognito.Code(err) == "" {
		t.Error("somebody took an address that is taken")
	}
	m.types("forget --yes "+string(subOf("frida")), cli.ExitFailed, "still in the source pool")
	m.deletes("frida")
	if old, _ := m.versions(); len(old) == 0 {
		t.Error("the bucket keeps no older versions: nothing is proved")
	}
	m.types("forget --yes "+string(subOf("frida")), cli.ExitDone)
	old, _ := m.versions()
	for _, key := range old {
		if key != "runs/rehearsal/lease.json" { // which is given back last, and names nobody
			t.Errorf("an older version of %s is left", key)
		}
	}
	check := "forget --check " + string(subOf("frida")) + " --target-sub " + string(target) + " --username frida"
	m.types(check, cli.ExitDone, "none found")
	m.searched("frida")
	m.types("manifest verify", cli.ExitDone)

	s := m.reconciles()
	m.verdicts(s, map[verdict.Verdict]int{verdict.Migrated: 1, verdict.Imported: 5})
	m.types(check, cli.ExitDone, "none found")
	m.searched("frida")
	m.types("tail status", cli.ExitDone)
	m.types("tail failures", cli.ExitDone)
	m.types("status", cli.ExitDone)
	m.hooksForget()
	if err := m.registers("stranger", "frida@example.com"); err != nil {
		t.Errorf("the address of somebody who is forgotten: %v", err)
	}
	m.reconciles()
}

// TestForgetAmongThePending: the guard works again after the next reconciliation.
func TestForgetAmongThePending(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{}, persons("frida", "ann", "ben")...)
	refused := func(when, address string) {
		t.Helper()
		if err := m.registers("stranger", address); cognito.Code(err) != "UserLambdaValidationException" {
			t.Errorf("%s: a registration with %s: %v, want to be refused", when, address, err)
		}
	}
	refused("before", "frida@example.com")
	refused("before", "ann@example.com")
	m.deletesAt(m.Source, "frida")
	m.types("forget --yes "+string(subOf("frida")), cli.ExitDone)
	m.hooksForget()
	refused("forgotten", "ann@example.com") // for nobody can say
	m.verdicts(m.reconciles(), map[verdict.Verdict]int{verdict.Pending: 2})
	m.hooksForget()
	refused("reconciled", "ann@example.com")
	if err := m.registers("stranger", "frida@example.com"); err != nil {
		t.Errorf("the address of somebody who is forgotten: %v", err)
	}
	m.moves("ann", "ben")
	m.types("forget --check "+string(subOf("frida"))+" --username frida", cli.ExitDone, "none found")
}
