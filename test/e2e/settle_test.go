package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/config"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// groupsHere are the groups of everybody who has moved, by name at the source.
func (m *migration) groupsHere() map[string][]string {
	m.t.Helper()
	here, groups := m.here(), map[string][]string{}
	for u := range m.Cognito.Users(m.Source.PoolID) {
		if there, ok := here[u.Sub]; ok {
			groups[u.Username] = there.Groups
		}
	}
	return groups
}

// addsTo has an administrator put somebody into a group of the target.
func (m *migration) addsTo(group, username string) {
	m.t.Helper()
	_, err := administrator(m.Target, m.Endpoint).AdminAddUserToGroup(m.t.Context(), &cip.AdminAddUserToGroupInput{
		UserPoolId: &m.Target.PoolID, Username: &username, GroupName: &group,
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// madeGroup is a group of the target, as far as it can be carried.
type madeGroup struct {
	Description string
	Precedence  int32
}

func (m *migration) madeGroup(name string) madeGroup {
	m.t.Helper()
	out, err := administrator(m.Target, m.Endpoint).GetGroup(m.t.Context(), &cip.GetGroupInput{UserPoolId: &m.Target.PoolID, GroupName: &name})
	if err != nil {
		m.t.Fatal(err)
	}
	return madeGroup{aws.ToString(out.Group.Description), aws.ToInt32(out.Group.Precedence)}
}

// TestWelcome: whoever has moved is in their groups at once, and settling finds
// nothing to change.
func TestWelcome(t *testing.T) {
	t.Parallel()
	m := migrate(t, rehearsal.Options{})
	m.group("members", "who pays", 7)
	m.put(person("ann", inGroups("members", "readers")), person("ben", inGroups("members")), person("carl"))
	execute(t, m.World, statemachines.Preseed)
	m.reconciles()
	m.moves("ann", "ben", "carl")
	want := map[string][]string{"ann": {"members", "readers"}, "ben": {"members"}, "carl": nil}
	if diff := cmp.Diff(want, m.groupsHere()); diff != "" {
		t.Errorf("after signing in (-want +got):\n%s", diff)
	}
	if got, want := m.madeGroup("members"), (madeGroup{"who pays", 7}); got != want {
		t.Errorf("group %+v, want %+v", got, want)
	}
	m.reconciles()
	if s := m.settled(); s.Settled != 2 || s.Totals.Changed != 0 || s.Left+s.Failed+s.GivenUp != 0 {
		t.Errorf("%+v, want two rows and nothing changed", s)
	}
	if diff := cmp.Diff(want, m.groupsHere()); diff != "" {
		t.Errorf("after settling (-want +got):\n%s", diff)
	}
}

// TestSettleAlone: without the hook of first sign-ins, a reconciliation brings
// people all that the trigger could not.
func TestSettleAlone(t *testing.T) {
	t.Parallel()
	m := migrate(t, rehearsal.Options{
		Change: func(c *config.Config) {
			c.Settle.Groups = userpool.GroupRules{
				Mode: userpool.GroupsAdd, Ignore: []string{"secret"}, Rename: []userpool.GroupRename{{From: "readers", To: "subscribers"}},
			}
		},
	})
	m.group("members", "who pays", 7)
	m.put(person("ann", inGroups("members", "readers", "secret")), person("texted", texted), person("left", disabled, inGroups("members")))
	m.detaches(func(triggers *cognitoidp.Triggers) { triggers.PostAuthentication = "" })
	execute(t, m.World, statemachines.Preseed)
	m.reconciles()
	m.moves("ann")
	m.resets("texted") // by which nobody is asked for a code
	if sum := func() int { m.plans(); return m.imported().Imported }(); sum != 1 {
		t.Fatalf("%d imported, want the disabled one", sum)
	}
	before := m.here()
	if len(before[subOf("ann")].Groups) > 0 || !before[subOf("left")].Enabled || len(before[subOf("texted")].MFA) > 0 {
		t.Errorf("before settling: %+v", before)
	}
	m.reconciles()
	after := m.here()
	want := map[string][]string{"ann": {"members", "subscribers"}, "left": {"members"}, "texted": nil}
	if diff := cmp.Diff(want, m.groupsHere()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got, want := m.madeGroup("members"), (madeGroup{"who pays", 7}); got != want {
		t.Errorf("group %+v, want %+v", got, want)
	}
	if after[subOf("left")].Enabled || !after[subOf("ann")].Enabled {
		t.Error("who is disabled at the source is not disabled at the target, or somebody else is")
	}
	if diff := cmp.Diff([]string{"SMS_MFA"}, after[subOf("texted")].MFA); diff != "" {
		t.Errorf("second factor (-want +got):\n%s", diff)
	}
	if s := m.settled(); s.Totals.GroupsAdded != 3 || s.Totals.Disabled != 1 || s.Totals.SMSPreferred != 1 || s.Left+s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	if got, err := app(t, m.World).SignIn(t.Context(), "texted", anotherOf("texted"), nil); err != nil || got.Challenge != "SMS_MFA" {
		t.Errorf("%+v, %v, want to be asked for a code", got, err)
	}
	if _, err := m.signIn("left", anotherOf("left")); err == nil {
		t.Error("somebody disabled got in")
	}
}

// TestSettleMirrors: people are taken out of groups that came along and that they
// are not in at the source, and out of no others.
func TestSettleMirrors(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{Change: func(c *config.Config) { c.Settle.Groups.Mode = userpool.GroupsMirror }},
		person("ann", inGroups("members")), person("ben"), person("carl", inGroups("members", "readers")))
	m.moves("ann", "ben", "carl")
	_, err := administrator(m.Target, m.Endpoint).CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &m.Target.PoolID, GroupName: aws.String("locals")})
	if err != nil {
		t.Fatal(err)
	}
	for _, username := range []string{"ann", "ben"} {
		m.addsTo("readers", username)
		m.addsTo("locals", username)
	}
	m.reconciles()
	want := map[string][]string{"ann": {"locals", "members"}, "ben": {"locals"}, "carl": {"members", "readers"}}
	if diff := cmp.Diff(want, m.groupsHere()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTwoReconciliationsSettle: while one settles another begins, ends and comes to
// settle, too. Everybody is settled, and counted once.
func TestTwoReconciliationsSettle(t *testing.T) {
	t.Parallel()
	const n = 12
	everybody := left(n)
	m := migrate(t, rehearsal.Options{Faults: "target.AdminListGroupsForUser=delay:1s"}, everybody...)
	m.detaches(func(triggers *cognitoidp.Triggers) { triggers.PostAuthentication = "" })
	execute(t, m.World, statemachines.Preseed)
	m.reconciles()
	for _, p := range everybody[:n/2] {
		m.moves(p.Username)
	}
	workflows := m.workflows()
	start := func() string {
		arn, err := workflows.Start(t.Context(), statemachines.Reconcile, map[string]string{"run": m.Config.Run})
		if err != nil {
			t.Fatal(err)
		}
		return arn
	}
	first := start()
	for settling := false; !settling; time.Sleep(time.Millisecond) {
		for _, state := range m.arrivals(first) {
			settling = settling || state == "SettleUsers"
		}
	}
	var group sync.WaitGroup
	for _, p := range everybody[n/2:] {
		group.Go(func() {
			if _, err := m.signIn(p.Username, p.Password); err != nil {
				t.Errorf("%s: %v", p.Username, err)
			}
		})
	}
	group.Wait()
	second := start()
	if err := m.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ends []workflow.Execution
	for _, arn := range []string{first, second} {
		e, err := workflows.Describe(t.Context(), arn)
		if err != nil || e.Status != workflow.Succeeded {
			t.Errorf("%+v, %v", e, err)
		}
		ends = append(ends, e)
	}
	for name, groups := range m.groupsHere() {
		if diff := cmp.Diff([]string{"readers"}, groups); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// Who had moved before the first is looked at twice: it was within the hour.
	s := m.settled()
	if s.Totals.GroupsAdded != n || s.Settled != n+n/2 || s.Left+s.Failed+s.GivenUp+s.Totals.Unreadable != 0 || s.Totals.GroupsCreated > 1 {
		t.Errorf("%+v", s)
	}
	if !ends[1].Started.Before(ends[0].Ended) {
		t.Errorf("the second began at %s, when the first had ended at %s", ends[1].Started, ends[0].Ended)
	}
}

// detaches changes the triggers of the target pool.
func (m *migration) detaches(change func(*cognitoidp.Triggers)) {
	m.t.Helper()
	err := m.Cognito.ChangePool(m.Target.PoolID, func(s *cognitoidp.Settings) { change(&s.LambdaConfig) })
	if err != nil {
		m.t.Fatal(err)
	}
}
